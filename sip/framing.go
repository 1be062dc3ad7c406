package sip

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// ErrIncomplete says that a Framer needs more bytes.
var ErrIncomplete = errors.New("sip: incomplete message")

// Framer cuts the messages out of a byte stream by their Content-Length (RFC 3261 §18.3). Call Write with
// what was read, then Next until it returns ErrIncomplete. The zero value is ready. Stream transports will
// use it; there is none so far.
type Framer struct {
	// Accepted says that the far end opened the connection: its keep-alive is a double CRLF, to be answered
	// with one CRLF. On a connection opened from here, each CRLF is the answer to such a ping (RFC 5626
	// §3.5.1).
	Accepted bool

	buf    []byte
	off    int // of what Next has not yet returned
	header int // length of the header from off, with its empty line; 0: its end is not found yet
	scan   int // from off: where to look for the end of the header
	total  int // length of the message from off, when header is known
	err    error
}

// Write appends p, which it copies. It fails when the unread bytes would not fit into two messages: the
// caller has not called Next. After an error of Next it fails with that.
func (f *Framer) Write(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	if len(f.buf)-f.off+len(p) > 2*MaxMessageSize {
		return 0, fmt.Errorf("sip: frame %d bytes: %d are unread", len(p), len(f.buf)-f.off)
	}
	if f.off > 0 {
		f.buf = f.buf[:copy(f.buf, f.buf[f.off:])]
		f.off = 0
	}
	f.buf = append(f.buf, p...)
	return len(p), nil
}

// Next returns the next message for Parse; it is valid until Write. The error is ErrKeepAlive (one ping or
// pong was read), ErrIncomplete, or a *ParseError after which the stream is lost: the connection must be
// closed.
func (f *Framer) Next() ([]byte, error) {
	if f.err != nil {
		return nil, f.err
	}
	if f.header == 0 {
		if f.keepAlive() {
			return nil, ErrKeepAlive
		}
		if err := f.head(); err != nil {
			return nil, err
		}
	}
	if len(f.buf)-f.off < f.total {
		return nil, ErrIncomplete
	}
	msg := f.buf[f.off : f.off+f.total : f.off+f.total]
	f.off += f.total
	f.header, f.scan, f.total = 0, 0, 0
	return msg, nil
}

// keepAlive skips CRLFs before a message and reports whether they were a keep-alive.
func (f *Framer) keepAlive() bool {
	if f.scan > 0 {
		return false
	}
	for {
		b := f.buf[f.off:]
		switch {
		case len(b) < 2 || b[0] != '\r' || b[1] != '\n':
			return false
		case !f.Accepted:
			f.off += 2
			return true
		case len(b) >= 4 && b[2] == '\r' && b[3] == '\n':
			f.off += 4
			return true
		case len(b) < 3 || len(b) == 3 && b[2] == '\r':
			return false // the second half may follow
		}
		f.off += 2
	}
}

// head looks for the end of the header and the Content-Length in it.
func (f *Framer) head() error {
	b := f.buf[f.off:]
	if len(b) < 4 && len(bytes.Trim(b, "\r\n")) == 0 {
		return ErrIncomplete
	}
	n := bytes.Index(b[f.scan:], []byte("\r\n\r\n"))
	if n < 0 {
		if f.scan = max(0, len(b)-3); len(b) > MaxMessageSize {
			return f.lose(513, "Message Too Large",
				fmt.Errorf("header of more than %d bytes", MaxMessageSize))
		}
		return ErrIncomplete
	}
	f.header = f.scan + n + 4
	length, err := contentLength(b[:f.header])
	if err != nil {
		return f.lose(400, "Bad Content-Length", err)
	}
	if f.total = f.header + length; length > MaxMessageSize || f.total > MaxMessageSize {
		return f.lose(513, "Message Too Large",
			fmt.Errorf("header of %d bytes, body of %d", f.header, length))
	}
	return nil
}

func (f *Framer) lose(status int, reason string, err error) error {
	f.err = &ParseError{status, reason, err}
	f.buf = nil
	return f.err
}

// contentLength returns the value of the only Content-Length in a header. Without one the end of the message
// cannot be known (RFC 3261 §20.14: mandatory on a stream).
func contentLength(header []byte) (int, error) {
	length, found := 0, false
	p := parser{text: string(header)}
	p.line()
	for p.pos < len(p.text) {
		line, _ := p.line()
		colon := strings.IndexByte(line, ':')
		if colon < 0 {
			continue
		}
		if id, _, _ := lookupName(trimRight(line[:colon])); id != fieldContentLength {
			continue
		}
		n, over, ok := digits(trimSpace(line[colon+1:]), 1<<31-1)
		if found && int(n) != length || over || !ok {
			return 0, fmt.Errorf("%q", line)
		}
		length, found = int(n), true
	}
	if !found {
		return 0, errMissing
	}
	return length, nil
}
