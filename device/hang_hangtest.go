//go:build hangtest

package device

import (
	"os"
	"os/signal"
	"syscall"
)

// hangOnSignal has SIGUSR1 block the station's loop for ever: tests of the watchdog and of the relays' leases
// need a station that hangs. Only binaries built with the tag hangtest hold it.
func (s *Station) hangOnSignal() (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-signals:
			s.log.Error("loop hangs, as the hang test asks")
			s.box.Put(hangForEver)
		case <-done:
		}
	}()
	return func() {
		signal.Stop(signals)
		close(done)
		<-ended
	}
}

func hangForEver() { select {} }
