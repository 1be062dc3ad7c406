package sip

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// next returns what Next gives: messages and "keep-alive", until it wants more.
func next(t *testing.T, f *Framer) (got []string) {
	t.Helper()
	for {
		msg, err := f.Next()
		switch {
		case err == nil:
			got = append(got, string(msg))
		case err == ErrKeepAlive:
			got = append(got, "keep-alive")
		case err == ErrIncomplete:
			return got
		default:
			t.Fatal(err)
		}
	}
}

// However the stream is cut into reads, the same messages come out.
func TestFramer(t *testing.T) {
	folded := strings.Replace(baseWire, "Content-Length: 4", "l :\r\n 4", 1)
	none := strings.Replace(baseWire, "Content-Length: 4\r\n\r\nbody", "CONTENT-LENGTH: 0\r\n\r\n", 1)
	stream := inviteWire + "\r\n\r\n" + folded + okWire + "\r\n" + none + registerWire
	for size := 1; size < len(stream); size = size*3/2 + 1 {
		for _, accepted := range []bool{true, false} {
			f := Framer{Accepted: accepted}
			var got []string
			for chunk := range slices.Chunk([]byte(stream), size) {
				if n, err := f.Write(chunk); n != len(chunk) || err != nil {
					t.Fatalf("Write = %d, %v", n, err)
				}
				got = append(got, next(t, &f)...)
			}
			want := []string{inviteWire, "keep-alive", folded, okWire, none, registerWire}
			if !accepted {
				want = []string{inviteWire, "keep-alive", "keep-alive", folded, okWire, "keep-alive", none,
					registerWire}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("accepted %v, reads of %d: got %q", accepted, size, got)
			}
		}
	}
}

func TestFramerKeepAlive(t *testing.T) {
	f := Framer{Accepted: true}
	for _, tt := range []struct {
		in   string
		want []string
	}{
		{"\r\n", nil}, {"\r\n", []string{"keep-alive"}}, {"\r", nil}, {"\n\r", nil},
		{"\n", []string{"keep-alive"}},
		{"\r\n\r\n\r\n\r\n", []string{"keep-alive", "keep-alive"}}, {"\r\n", nil},
		{baseWire + "\r", []string{baseWire}},
	} {
		if _, err := f.Write([]byte(tt.in)); err != nil {
			t.Fatal(err)
		}
		if got := next(t, &f); !slices.Equal(got, tt.want) {
			t.Errorf("after %q: %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestFramerRefuses(t *testing.T) {
	for _, tt := range []struct {
		in     string
		status int
	}{
		{strings.Replace(baseWire, "Content-Length: 4\r\n", "", 1), 400},
		{strings.Replace(baseWire, "Content-Length: 4", "Content-Length: -4", 1), 400},
		{strings.Replace(baseWire, "Content-Length: 4", "Content-Length: 4\r\nl: 5", 1), 400},
		{strings.Replace(baseWire, "Content-Length: 4", "Content-Length: 99999999999999999999", 1), 400},
		{strings.Replace(baseWire, "Content-Length: 4", "Content-Length: 2147483647", 1), 513},
		{strings.Replace(baseWire, "Content-Length: 4", "Content-Length: 65500", 1), 513},
		{"INVITE" + strings.Repeat("x", MaxMessageSize), 513},
		{"\r\n\n\r\n\r\n", 400},
	} {
		var f Framer
		if _, err := f.Write([]byte(tt.in)); err != nil {
			t.Fatal(err)
		}
		msg, err := f.Next()
		for err == ErrKeepAlive {
			msg, err = f.Next()
		}
		var e *ParseError
		if !errors.As(err, &e) || e.Status != tt.status || msg != nil {
			t.Errorf("%.80q: %q, %v, want %d", tt.in, msg, err, tt.status)
			continue
		}
		if _, again := f.Next(); again != err {
			t.Errorf("Next after the stream was lost: %v", again)
		}
		if _, again := f.Write([]byte(baseWire)); again != err {
			t.Errorf("Write after the stream was lost: %v", again)
		}
	}
	// Who never calls Next does not fill the memory.
	var f Framer
	var err error
	for range 10 {
		if _, err = f.Write(make([]byte, MaxMessageSize/2)); err != nil {
			break
		}
	}
	if err == nil || cap(f.buf) > 4*MaxMessageSize {
		t.Errorf("unread bytes pile up: %d, %v", cap(f.buf), err)
	}
}

func FuzzFramer(f *testing.F) {
	f.Add([]byte(inviteWire+"\r\n\r\n"+baseWire), 7, true)
	f.Add([]byte("\r\n\r\n\r\nA\r\nl: 0\r\n\r\n\r\n"), 1, false)
	f.Fuzz(func(t *testing.T, stream []byte, size int, accepted bool) {
		if size < 1 || len(stream) > 1<<16 {
			return
		}
		cut := func(size int) (got []string) {
			fr := Framer{Accepted: accepted}
			for chunk := range slices.Chunk(stream, size) {
				if _, err := fr.Write(chunk); err != nil {
					return append(got, "lost")
				}
				for {
					msg, err := fr.Next()
					if err == ErrIncomplete {
						break
					}
					if err == ErrKeepAlive {
						msg = []byte("keep-alive")
					} else if err != nil {
						return append(got, "lost")
					}
					got = append(got, string(msg))
				}
			}
			return got
		}
		if a, b := cut(size), cut(max(1, len(stream))); !slices.Equal(a, b) {
			t.Errorf("reads of %d give %q, one read %q", size, a, b)
		}
	})
}
