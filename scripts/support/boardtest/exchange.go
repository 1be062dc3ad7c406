//go:build boardtest

package boardtest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"portero/scripts/support/interop"
)

const (
	exchangePort = 5080
	phonePort    = 5070
	phoneControl = 5071
	phoneRTP     = 30000
)

// startExchange starts Kamailio with the interop tests' configuration at host and waits until it serves.
func startExchange(t *testing.T, host string, users map[string]string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "interop", "kamailio.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for name, password := range users {
		fmt.Fprintf(&table, "\t$sht(users=>%s) = %q;\n", name, password)
	}
	text := strings.NewReplacer("@PORT@", fmt.Sprint(exchangePort), "@USERS@", table.String(), "127.0.0.1", host).Replace(string(raw))
	dir := t.TempDir()
	path := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	k := interop.Start(t, "kamailio", dir, nil, "kamailio", "-f", path, "-DD", "-E", "-m", "16", "-M", "4", "-Y", dir, "-w", dir)
	if err := answersOptions(host, exchangePort, outboard); err != nil {
		t.Fatalf("%v\n%s", err, k.Log())
	}
}

// answersOptions asks until a SIP element answers.
func answersOptions(host string, port int, atMost time.Duration) error {
	c, err := net.Dial("udp", net.JoinHostPort(host, fmt.Sprint(port)))
	if err != nil {
		return err
	}
	defer c.Close()
	buf := make([]byte, 2048)
	for i, deadline := 0, time.Now().Add(atMost); time.Now().Before(deadline); i++ {
		_, _ = fmt.Fprintf(c, "OPTIONS sip:%[1]s:%[2]d SIP/2.0\r\nVia: SIP/2.0/UDP %[3]s;branch=z9hG4bKrig%[4]d;rport\r\nMax-Forwards: 70\r\n"+
			"From: <sip:rig@%[1]s>;tag=r\r\nTo: <sip:%[1]s:%[2]d>\r\nCall-ID: rig%[4]d\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
			host, port, c.LocalAddr(), i)
		_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		if n, err := c.Read(buf); err == nil && strings.HasPrefix(string(buf[:n]), "SIP/2.0 ") {
			return nil
		} else if err != nil && !os.IsTimeout(err) {
			time.Sleep(50 * time.Millisecond) // refused: not there yet
		}
	}
	return fmt.Errorf("boardtest: nothing answers on %s:%d within %v", host, port, atMost)
}
