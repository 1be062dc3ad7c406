package event

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"portero/device/durable"
)

// Audited are the kinds that the audit file keeps: who opened which door, how and when, who was kept out, and
// who did not ask.
var Audited = []Kind{CodeAccepted, CodeLockedOut, DoorOpened, DoorClosed, DoorFailed, DoorForced, DoorHeldOpen, TamperAlarm, TamperOver}

const auditQueue = 256 // events that may wait for a slow SD card

// Audit appends the events of the [Audited] kinds to a file of JSON lines (mode 0600), one event a line,
// synced to the medium. At maxBytes the file is renamed to path.1, which replaces the one before: both
// together hold at most 2 maxBytes.
type Audit struct {
	path     string
	maxBytes int64
	sub      *Subscription
	logger   *slog.Logger

	file *os.File
	size int64
}

// NewAudit subscribes to log at once, so that nothing is missed before Run.
func NewAudit(log *Log, path string, maxBytes int64, logger *slog.Logger) *Audit {
	return &Audit{path: path, maxBytes: maxBytes, sub: log.Subscribe(auditQueue, Audited...),
		logger: logger.With("part", "event")}
}

// Run writes until ctx ends, then what is still queued. A full or faulty disk is logged and does not end it:
// the door works on.
func (a *Audit) Run(ctx context.Context) error {
	for {
		e, err := a.sub.Next(ctx)
		if err != nil {
			break
		}
		a.batch(e)
	}
	a.sub.Close()
	if e, ok := a.sub.TryNext(); ok {
		a.batch(e)
	}
	a.close()
	return nil
}

// batch writes e and all that waits behind it with one fsync.
func (a *Audit) batch(e Event) {
	if a.file == nil {
		_ = a.open() // learns the size; write tries again and reports
	}
	var buf bytes.Buffer
	flush := func() {
		if buf.Len() == 0 {
			return
		}
		if err := a.write(buf.Bytes()); err != nil {
			a.logger.Error("audit lines are lost", "lines", buf.String(), "err", err)
		}
		buf.Reset()
	}
	for ok := true; ok; e, ok = a.sub.TryNext() {
		line, err := json.Marshal(e)
		if err != nil {
			a.logger.Error("audit event is lost", "err", fmt.Errorf("event: marshal %q: %w", e.Kind, err))
			continue
		}
		line = append(line, '\n')
		if a.size+int64(buf.Len()+len(line)) > a.maxBytes {
			flush()
			if err := a.rotate(); err != nil {
				a.logger.Error("audit file grows beyond its limit", "err", err)
			}
		}
		buf.Write(line)
	}
	flush()
}

// write appends lines and syncs. After an error the file is opened anew at the next batch.
func (a *Audit) write(lines []byte) error {
	if a.file == nil {
		if err := a.open(); err != nil {
			return err
		}
	}
	n, err := a.file.Write(lines)
	a.size += int64(n)
	if err == nil {
		err = a.file.Sync()
	}
	if err != nil {
		a.close()
		return fmt.Errorf("event: write audit %q: %w", a.path, err)
	}
	return nil
}

func (a *Audit) open() error {
	f, err := os.OpenFile(a.path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("event: open audit %q: %w", a.path, err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil && size > 0 {
		var last [1]byte
		// A power cut tore the last line: end it, so that only that line is unreadable.
		if _, err = f.ReadAt(last[:], size-1); err == nil && last[0] != '\n' {
			_, err = f.Write([]byte{'\n'})
			size++
		}
	}
	if err == nil {
		err = errors.Join(f.Chmod(0o600), durable.SyncDir(a.path))
	}
	if err != nil {
		f.Close()
		return fmt.Errorf("event: open audit %q: %w", a.path, err)
	}
	a.file, a.size = f, size
	return nil
}

func (a *Audit) rotate() error {
	if a.file == nil {
		if err := a.open(); err != nil {
			return err
		}
	}
	if a.size == 0 {
		return nil // a single line longer than the limit
	}
	a.close()
	if err := os.Rename(a.path, a.path+".1"); err != nil {
		return fmt.Errorf("event: rotate audit %q: %w", a.path, err)
	}
	return a.open()
}

func (a *Audit) close() {
	if a.file == nil {
		return
	}
	if err := a.file.Close(); err != nil {
		a.logger.Error("audit file not closed", "err", err)
	}
	a.file, a.size = nil, 0
}

// ReadAudit returns the events of path.1 and path, oldest first, and the number of unreadable lines (torn by
// a power cut). A file that does not exist holds no events.
func ReadAudit(path string) (events []Event, torn int, err error) {
	for _, p := range []string{path + ".1", path} {
		data, err := os.ReadFile(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return events, torn, fmt.Errorf("event: read audit %q: %w", p, err)
		}
		for line := range bytes.Lines(data) {
			var e Event
			if line = bytes.TrimSpace(line); len(line) == 0 {
				continue
			}
			if json.Unmarshal(line, &e) != nil || e.Kind == "" {
				torn++
				continue
			}
			events = append(events, e)
		}
	}
	return events, torn, nil
}
