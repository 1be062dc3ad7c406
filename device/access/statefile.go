package access

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"portero/device/durable"
)

const stateRetry = 10 * time.Second // after a failed write

// stateFile keeps a small state as one line of JSON, so that it outlives a restart. There may be no clock at boot, so no time of day
// is kept. save belongs to the station's loop, run to a goroutine of its own.
type stateFile struct {
	path   string
	loss   string // what a failed write means, for the log
	logger *slog.Logger
	next   chan stored
}

// stored is a state, and the one that follows it by itself.
type stored struct {
	state any
	after any // nil: state lasts
	until time.Time
}

func newStateFile(dir, name, loss string, logger *slog.Logger) *stateFile {
	return &stateFile{path: filepath.Join(dir, name), loss: loss, logger: logger, next: make(chan stored, 1)}
}

// read decodes the file into state. Unknown keys and anything behind the state are errors; a missing file is fs.ErrNotExist.
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

// save hands a state to run; one that run has not taken yet is replaced.
func (s *stateFile) save(state stored) {
	select {
	case <-s.next:
	default:
	}
	s.next <- state
}

// run writes the state until ctx ends, then once more if it has changed. A failed write is logged and tried again.
func (s *stateFile) run(ctx context.Context) {
	var now stored
	var again <-chan time.Time
	write := func() {
		again = nil
		if err := s.write(now.state); err != nil {
			s.logger.Error(s.loss, "err", err)
			again = time.After(stateRetry)
		} else if now.after != nil {
			// A restart after the end must not begin it anew, even if nothing happens until then.
			again = time.After(time.Until(now.until))
		}
	}
	for {
		select {
		case now = <-s.next:
			write()
		case <-again:
			if now.after != nil && !time.Now().Before(now.until) {
				now = stored{state: now.after}
			}
			write()
		case <-ctx.Done():
			select {
			case now = <-s.next:
				write()
			default:
			}
			return
		}
	}
}

func (s *stateFile) write(state any) error {
	data, err := json.Marshal(state)
	if err != nil {
		return fmt.Errorf("access: marshal %q: %w", s.path, err)
	}
	if err = durable.Write(s.path, append(data, '\n')); err != nil {
		return fmt.Errorf("access: write %q: %w", s.path, err)
	}
	return nil
}
