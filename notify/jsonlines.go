package notify

// JSONLines is a File in our own schema that never begins anew: the archive
// of everything that was told.
type JSONLines struct {
	Path string `yaml:"path"`
}

func (c *JSONLines) file() *File { return &File{Path: c.Path, Format: "json"} }

// Validate implements Config.
func (c *JSONLines) Validate() error { return c.file().Validate() }

// Open implements Config.
func (c *JSONLines) Open(o Options) (Sink, error) { return c.file().Open(o) }
