//go:build interop

package interop

import (
	"fmt"
	"net"
	"sync"
	"testing"
)

var (
	portsMu sync.Mutex
	taken   = map[int]bool{}
)

// freePort returns a loopback port that is free for both UDP and TCP and was not given out before.
func freePort(t *testing.T) int {
	t.Helper()
	return freePorts(t, 1)
}

// freePorts returns the first, even port of n neighbours free for UDP; the first is free for TCP too.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	portsMu.Lock()
	defer portsMu.Unlock()
	// Below the kernel's ephemeral range (32768 up), so that no client socket takes one before the peer binds it.
	for first := 20000; first+n < 32000; first += 2 {
		if free(first, n) {
			for p := first; p < first+n; p++ {
				taken[p] = true
			}
			return first
		}
	}
	t.Fatalf("interop: no %d free ports in a row", n)
	return 0
}

func free(first, n int) bool {
	for p := first; p < first+n; p++ {
		if taken[p] {
			return false
		}
		c, err := net.ListenPacket("udp", fmt.Sprintf(":%d", p))
		if err != nil {
			return false
		}
		_ = c.Close()
	}
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", first))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}
