package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

// Socket is where the station of the unit answers.
const Socket = "/run/portero/status.sock"

// Why there is no document.
var (
	ErrNotRunning = errors.New("no station answers there")
	ErrHangs      = errors.New("the station does not answer")
)

const (
	answersWithin = 2 * time.Second // the loops that are asked
	askTakes      = 5 * time.Second // in all: others may be asking
)

// Ask asks the station that serves the socket. Its error is [ErrNotRunning], [ErrHangs], or why it cannot be
// asked (fs.ErrPermission).
func Ask(ctx context.Context, socket string) (*Document, error) {
	ctx, stop := context.WithTimeout(ctx, askTakes)
	defer stop()
	fail := func(err error) (*Document, error) { return nil, fmt.Errorf("status: ask %s: %w", socket, err) }
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fail(ErrNotRunning)
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, context.DeadlineExceeded): // nobody takes those that wait
		return fail(ErrHangs)
	case err != nil:
		return fail(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	d := &Document{}
	if err := json.NewDecoder(conn).Decode(d); err != nil {
		return fail(fmt.Errorf("%w: %w", ErrHangs, err))
	}
	return d, nil
}

// Serve answers each connection to the socket with what ask gives, until ctx ends. One that ask has nothing
// for is closed without a word.
func Serve(ctx context.Context, socket string, ask func(context.Context) (*Document, error)) error {
	if fi, err := os.Lstat(socket); err == nil && fi.Mode()&fs.ModeSocket != 0 {
		if err := os.Remove(socket); err != nil { // of a station that was killed
			return fmt.Errorf("status: serve: %w", err)
		}
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return fmt.Errorf("status: serve: %w", err)
	}
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	if err := os.Chmod(socket, 0o660); err != nil {
		return fmt.Errorf("status: serve: %w", err)
	}
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("status: serve: %w", err)
		case err != nil: // no descriptor is left for it
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			continue
		}
		answer(ctx, conn, ask)
	}
}

func answer(ctx context.Context, conn net.Conn, ask func(context.Context) (*Document, error)) {
	defer conn.Close()
	ctx, stop := context.WithTimeout(ctx, answersWithin)
	defer stop()
	d, err := ask(ctx)
	if err != nil {
		return
	}
	_ = conn.SetWriteDeadline(time.Now().Add(answersWithin))
	_ = json.NewEncoder(conn).Encode(d) // who asked has gone
}
