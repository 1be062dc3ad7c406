//go:build interop

package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// EachReport hands on what baresip's module ctrl_tcp sends, netstrings ("12:{...},") of JSON, until r ends.
func EachReport(r io.Reader, report func(text []byte)) {
	for in := bufio.NewReader(r); ; {
		length, err := in.ReadString(':')
		if err != nil {
			return
		}
		n, err := strconv.ParseUint(strings.TrimSuffix(length, ":"), 10, 24)
		if err != nil {
			return
		}
		body := make([]byte, n+1)
		if _, err := io.ReadFull(in, body); err != nil {
			return
		}
		report(body[:n])
	}
}

// Tell sends ctrl_tcp one of baresip's commands, such as "dial", "accept", "sndcode" or "hangup".
func Tell(w io.Writer, command, params string) error {
	text, err := json.Marshal(map[string]string{"command": command, "params": params, "token": "t"})
	if err == nil {
		_, err = fmt.Fprintf(w, "%d:%s,", len(text), text)
	}
	return err
}
