// Package durable writes the small files that a station keeps through a power cut.
package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// Write makes data the content of the file at path, mode 0600. After a power cut the file is the old or the
// new one, never a part; once Write has returned nil it is the new one. Only one writer at a time may have a
// path: path+".new" is in use meanwhile.
func Write(path string, data []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp))
	}
	return SyncDir(path)
}

// SyncDir makes a rename or a new name in path's directory outlive a power cut.
func SyncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
