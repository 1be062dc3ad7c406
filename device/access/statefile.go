package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"portero/device/durable"
)

// stateFile keeps a small state as one line of JSON, so that it outlives a restart. There may be no clock at
// boot, so no time of day is kept. Its keeper writes from a goroutine of its own.
type stateFile struct {
	path string
	*durable.Keeper

	mu  sync.Mutex
	now stored
}

// stored is a state, and the one that follows it by itself.
type stored struct {
	state any
	after any // nil: state lasts
	until time.Time
}

// newStateFile makes the file of that name in dir; loss is what a failed write means.
func newStateFile(dir, name, loss string, logger *slog.Logger) *stateFile {
	s := &stateFile{path: filepath.Join(dir, name)}
	s.Keeper = durable.NewKeeper(s.path, 0, s.content, func(err error) {
		logger.Error("state file not written", "part", "door", "loss", loss,
			"err", fmt.Errorf("access: write %q: %w", s.path, err))
	})
	return s
}

// read decodes the file into state. Unknown keys and anything behind the state are errors; a missing file is
// fs.ErrNotExist.
func (s *stateFile) read(state any) error {
	f, err := os.Open(s.path)
	if err != nil {
		return fmt.Errorf("access: open %q: %w", s.path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 4096))
	if err == nil {
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		if err = dec.Decode(state); err == nil && dec.More() {
			err = errors.New("more than one state")
		}
	}
	if err != nil {
		return fmt.Errorf("access: read %q: %w", s.path, err)
	}
	return nil
}

// save has a state written, instead of one that has not been written yet.
func (s *stateFile) save(now stored) {
	s.mu.Lock()
	s.now = now
	s.mu.Unlock()
	s.Changed()
}

// content is the keeper's source. A restart after until must not begin a lock-out or a block anew, even if
// nothing happens until then: so the state that follows is written at that time.
func (s *stateFile) content() (data []byte, until time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.after != nil && !time.Now().Before(s.now.until) {
		s.now = stored{state: s.now.after}
	}
	data, err = json.Marshal(s.now.state)
	return append(data, '\n'), s.now.until, err
}
