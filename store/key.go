package store

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrKey says that a store cannot be read with the key that was given, or with
// none. Nothing is touched then.
var ErrKey = errors.New("wrong key")

// Cipher names how a store is encrypted. Both encrypt each sector of 512 bytes
// by itself, without growing it: they hide the contents of a medium that is
// lost or thrown away, and do not protect from somebody who can change it.
type Cipher string

// Ciphers.
const (
	// AESXTS is AES-256-XTS (IEEE 1619), for processors with AES instructions.
	AESXTS Cipher = "aes-xts"
	// Adiantum (https://doi.org/10.13154/tosc.v2018.i4.39-61) is for those
	// without: MIPS and 32-bit ARM.
	Adiantum Cipher = "adiantum"
)

// minKey is the least length of key material, in bytes: 256 bits in hex or
// base64 are longer. It is stretched by no password hash, so it must be random.
const minKey = 32

// Key encrypts a store.
type Key struct {
	cipher Cipher
	secret []byte
	check  string // tells this key from others, and nothing about it
}

// NewKey derives a key from random material, at least 32 bytes, such as the
// contents of a file; line ends behind it do not count.
func NewKey(cipher Cipher, material []byte) (*Key, error) {
	size := map[Cipher]int{AESXTS: 64, Adiantum: 32}[cipher]
	if size == 0 {
		return nil, fmt.Errorf("unknown cipher %q: use %s or %s", cipher, AESXTS, Adiantum)
	}
	material = bytes.TrimRight(material, "\r\n")
	if len(material) < minKey {
		return nil, fmt.Errorf("key of %d bytes: give at least %d random ones, such as from: openssl rand -hex 32", len(material), minKey)
	}
	secret, err := hkdf.Key(sha256.New, material, nil, "gatehouse store "+string(cipher), size)
	if err != nil {
		return nil, err
	}
	check, err := hkdf.Key(sha256.New, material, nil, "gatehouse key check", 16)
	if err != nil {
		return nil, err
	}
	return &Key{cipher, secret, hex.EncodeToString(check)}, nil
}

// pragma is the statement that hands the key to a connection.
func (k *Key) pragma() string { return fmt.Sprintf("PRAGMA hexkey = '%x'", k.secret) }

// seal is what the file beside an encrypted database says about it. Without
// it, a database under a wrong key could not be told from a damaged one, and
// would be set aside.
type seal struct {
	Cipher Cipher `json:"cipher"`
	Check  string `json:"check"`
}

// sealName is the file in a state directory that holds the seal.
const sealName = "gatehouse.seal"

// checkKey compares the key that was given with the seal of the database at
// path. For a database that does not exist yet it makes one.
func checkKey(ctx context.Context, path string, key *Key, writer bool) error {
	dir := filepath.Dir(path)
	name := filepath.Join(dir, sealName)
	text, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if key == nil {
			return nil
		}
		if size(path) > 0 {
			return explain(fmt.Sprintf("%s is not encrypted, and a key is given: leave the key out, or move the state away and begin an encrypted one", path), ErrKey)
		}
		if !writer {
			return nil // there is no store: that is said elsewhere
		}
		return translate(ctx, path, writeSeal(name, seal{key.cipher, key.check}))
	case err != nil:
		return translate(ctx, path, err)
	}
	var s seal
	if err := json.Unmarshal(text, &s); err != nil {
		return explain(fmt.Sprintf("%s is damaged (%v): bring it back from a backup; it says how the state beside it is encrypted", name, err), ErrKey, err)
	}
	switch {
	case key == nil:
		return explain(fmt.Sprintf("%s is encrypted: give its key with store.encryption in the configuration (--config FILE)", path), ErrKey)
	case s.Cipher != key.cipher:
		return explain(fmt.Sprintf("%s is encrypted with %s, and the configuration says %s", path, s.Cipher, key.cipher), ErrKey)
	case subtle.ConstantTimeCompare([]byte(s.Check), []byte(key.check)) == 0:
		return explain(fmt.Sprintf("%s is encrypted with another key than the one that is given", path), ErrKey)
	}
	return nil
}

// writeSeal writes a seal so that it is there as a whole before the database.
func writeSeal(name string, s seal) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return writeWhole(name, append(text, '\n'))
}

// writeWhole writes a small file that is there as a whole or not at all, even
// after a power cut.
func writeWhole(name string, text []byte) (err error) {
	part := name + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Rename(part, name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}
