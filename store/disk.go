package store

import (
	"fmt"
	"sync/atomic"

	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
	"github.com/ncruces/go-sqlite3/vfs/adiantum"
	"github.com/ncruces/go-sqlite3/vfs/xts"
)

// Wear is what a store has asked of the medium since it was opened. Flash is
// worn by bytes written, and by each forced write once more, since that
// rewrites at least one erase block's worth of bookkeeping.
type Wear struct {
	Bytes uint64 `json:"bytes"` // passed to write calls, to the database and its log
	Syncs uint64 `json:"syncs"` // forced writes (fsync)
}

// disk is how SQLite reaches the files of one store: through a layer that
// counts and, if there is a key, one above it that encrypts.
type disk struct {
	name   string // under which SQLite knows it
	cipher *Key   // nil for none
	bytes  atomic.Uint64
	syncs  atomic.Uint64
}

// newDisk registers a disk until it is closed.
func newDisk(key *Key) *disk {
	d := &disk{cipher: key}
	d.name = fmt.Sprintf("gatehouse-%p", d) // unique as long as it is registered
	var layer vfs.VFS = meter{vfs.Find("os"), d}
	if key != nil {
		switch key.cipher {
		case Adiantum:
			layer = adiantum.Wrap(layer, nil)
		default:
			layer = xts.Wrap(layer, nil)
		}
	}
	vfs.Register(d.name, layer)
	return d
}

func (d *disk) close() { vfs.Unregister(d.name) }

func (d *disk) wear() Wear { return Wear{d.bytes.Load(), d.syncs.Load()} }

// meter is the file system, with what is written counted.
type meter struct {
	vfs.VFS
	disk *disk
}

// OpenFilename implements vfs.VFSFilename.
func (m meter) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := vfsutil.WrapOpenFilename(m.VFS, name, flags)
	if err != nil {
		return nil, flags, err
	}
	return &meteredFile{f, m.disk}, flags, nil
}

// meteredFile counts and passes everything on, also the methods that a file
// may or may not have.
type meteredFile struct {
	vfs.File
	disk *disk
}

func (f *meteredFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	f.disk.bytes.Add(uint64(n))
	return n, err
}

func (f *meteredFile) Sync(flags vfs.SyncFlag) error {
	f.disk.syncs.Add(1)
	return f.File.Sync(flags)
}

func (f *meteredFile) Unwrap() vfs.File               { return f.File }
func (f *meteredFile) SharedMemory() vfs.SharedMemory { return vfsutil.WrapSharedMemory(f.File) }
func (f *meteredFile) LockState() vfs.LockLevel       { return vfsutil.WrapLockState(f.File) }
func (f *meteredFile) PersistWAL() bool               { return vfsutil.WrapPersistWAL(f.File) }
func (f *meteredFile) SetPersistWAL(keep bool)        { vfsutil.WrapSetPersistWAL(f.File, keep) }
func (f *meteredFile) PowersafeOverwrite() bool       { return vfsutil.WrapPowersafeOverwrite(f.File) }

func (f *meteredFile) SetPowersafeOverwrite(safe bool) {
	vfsutil.WrapSetPowersafeOverwrite(f.File, safe)
}
func (f *meteredFile) ChunkSize(size int)           { vfsutil.WrapChunkSize(f.File, size) }
func (f *meteredFile) SizeHint(size int64) error    { return vfsutil.WrapSizeHint(f.File, size) }
func (f *meteredFile) HasMoved() (bool, error)      { return vfsutil.WrapHasMoved(f.File) }
func (f *meteredFile) Overwrite() error             { return vfsutil.WrapOverwrite(f.File) }
func (f *meteredFile) SyncSuper(super string) error { return vfsutil.WrapSyncSuper(f.File, super) }

func (f *meteredFile) CommitPhaseTwo() error { return vfsutil.WrapCommitPhaseTwo(f.File) }

func (f *meteredFile) BeginAtomicWrite() error { return vfsutil.WrapBeginAtomicWrite(f.File) }

func (f *meteredFile) CommitAtomicWrite() error { return vfsutil.WrapCommitAtomicWrite(f.File) }

func (f *meteredFile) RollbackAtomicWrite() error      { return vfsutil.WrapRollbackAtomicWrite(f.File) }
func (f *meteredFile) CheckpointStart()                { vfsutil.WrapCheckpointStart(f.File) }
func (f *meteredFile) CheckpointDone()                 { vfsutil.WrapCheckpointDone(f.File) }
func (f *meteredFile) BusyHandler(handler func() bool) { vfsutil.WrapBusyHandler(f.File, handler) }

func (f *meteredFile) Pragma(n, v string) (string, error) { return vfsutil.WrapPragma(f.File, n, v) }
