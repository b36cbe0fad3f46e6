package sim

import "fmt"

// Words from which the names of the simulated internet are made. The
// combinations are invented; nothing is ever sent to them.
var (
	firstWords = []string{
		"alder", "amber", "arctic", "aspen", "autumn", "azure", "birch", "bright", "brook", "cedar", "cinder",
		"clear", "clover", "cobalt", "copper", "coral", "crisp", "daily", "dawn", "delta", "dusk", "early",
		"ember", "fern", "field", "fjord", "flint", "forest", "fresh", "frost", "garden", "gentle", "golden",
		"grand", "granite", "green", "harbor", "hazel", "hidden", "honest", "indigo", "iron", "ivory", "juniper",
		"lake", "laurel", "lively", "lunar", "maple", "marble", "meadow", "mellow", "misty", "modern", "mossy",
		"noble", "north", "oaken", "ocean", "olive", "open", "orchard", "pebble", "pine", "plain", "polar",
		"prime", "quiet", "rapid", "raven", "river", "rosy", "rustic", "saffron", "sandy", "scarlet", "silver",
		"simple", "slate", "smart", "solar", "spruce", "steady", "stone", "summer", "sunny", "swift", "tidal",
		"timber", "urban", "velvet", "violet", "vivid", "wander", "warm", "willow", "winter", "woven", "young",
	}
	secondWords = []string{
		"atlas", "bakery", "bank", "base", "bazaar", "beacon", "bench", "blog", "books", "bridge", "cafe",
		"camp", "cast", "chart", "clinic", "club", "coast", "corner", "craft", "desk", "digest", "drive",
		"feed", "finder", "forum", "gallery", "gazette", "guide", "hub", "journal", "kitchen", "lab", "ledger",
		"letter", "library", "lodge", "maps", "market", "media", "mill", "motors", "museum", "music", "news",
		"notes", "outlet", "page", "paper", "park", "photo", "planner", "point", "port", "post", "press",
		"radio", "recipes", "review", "school", "shop", "sound", "space", "sports", "stage", "station", "store",
		"studio", "supply", "tales", "tech", "times", "tools", "trade", "trail", "travel", "tribune", "union",
		"view", "voice", "watch", "weather", "weekly", "wiki", "works", "world", "yard",
	}
	topLevels = []string{"com", "com", "com", "com", "net", "org", "de", "nl", "io", "eu", "fr", "info"}
)

// word makes up a registered domain.
func (s *stream) domain() string {
	return fmt.Sprintf("%s%s.%s", pick(s, firstWords), pick(s, secondWords), pick(s, topLevels))
}

// sites are the web sites that people in the home know.
type sites struct {
	hosts   []string
	helpers []string // third parties embedded in pages: fonts, statistics, advertising
	zipf    zipf
	help    zipf
}

// Sizes of the population. A household visits some hundred sites a month; a
// page embeds hosts of a much smaller set of third parties.
const (
	knownSites   = 420
	knownHelpers = 60
)

func newSites(seed uint64) *sites {
	r := newStream(seed, "sites")
	p := &sites{zipf: newZipf(knownSites), help: newZipf(knownHelpers)}
	for range knownSites {
		host := r.domain()
		if r.chance(600) {
			host = "www." + host
		}
		p.hosts = append(p.hosts, host)
	}
	for range knownHelpers {
		p.helpers = append(p.helpers, pick(r, []string{"cdn", "static", "fonts", "stats", "pixel", "ads", "tags", "img"})+"."+r.domain())
	}
	return p
}
