package board

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestSimHoldsLinesLikeTheKernel(t *testing.T) {
	s := NewSim()
	b := mustOpen(t, s, doorConfig(true))
	var busy *BusyError
	if _, err := s.Open(doorConfig(true)); !errors.As(err, &busy) || busy.Consumer != "portero:bell" {
		t.Errorf("a second board on the same lines: %v", err)
	}
	if err := s.ReleaseAll(doorConfig(true)); !errors.As(err, &busy) {
		t.Errorf("ReleaseAll beside a running board: %v", err)
	}
	if err := s.Pull("GPIO17", true); err == nil {
		t.Error("a held line was pulled")
	}
	must(t, b.Close())
	mustOpen(t, s, doorConfig(true))

	// Outputs are not read, inputs are not set: the simulation refuses, as the product's code must never ask.
	k := s.kernel()
	in, err := k.request(request{name: "in", line: "A"})
	must(t, err)
	out, err := k.request(request{name: "out", line: "B", output: true})
	must(t, err)
	if _, err := k.get(out); !errors.Is(err, syscall.EPERM) {
		t.Errorf("get of an output: %v", err)
	}
	if err := k.set(in, true); !errors.Is(err, syscall.EPERM) {
		t.Errorf("set of an input: %v", err)
	}
}

func TestSimShowsWrongPolarity(t *testing.T) {
	s := NewSim()
	must(t, s.Pull("GPIO5", false)) // an active-high module, configured active-low
	mustOpen(t, s, doorConfig(true))
	if log := s.Edges("door"); len(log) != 1 || !log[0].High || log[0].Active || log[0].Seq != 1 {
		t.Errorf("edges %+v", log)
	}
}

func TestSimLogAndWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSim()
		b := mustOpen(t, s, doorConfig(false))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		go func() {
			time.Sleep(time.Minute)
			for range simLog {
				_ = b.Lamp("lamp").Set(true)
				_ = b.Lamp("lamp").Set(true)
				_ = b.Lamp("lamp").Set(false)
			}
		}()
		e, err := s.WaitEdge(ctx, "lamp", 2*simLog)
		if err != nil || e.Seq != 2*simLog || e.Active || e.At != time.Minute {
			t.Errorf("edge %+v, %v", e, err)
		}
		log := s.Edges()
		if len(log) != simLog || log[0].Seq != simLog+1 || log[simLog-1].Seq != 2*simLog {
			t.Errorf("%d edges, from %d to %d", len(log), log[0].Seq, log[len(log)-1].Seq)
		}
		if _, err := s.WaitEdge(ctx, "door", 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting for what never comes: %v", err)
		}
		if s.Press("door", true) == nil || s.Press("nobody", true) == nil {
			t.Error("a relay or nobody was pressed")
		}
	})
}

// More edges than the kernel keeps, unread: the newest survive, and with them the truth.
func TestKernelBufferOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSim()
		b := mustOpen(t, s, doorConfig(true))
		var got []Event
		entered, leave := make(chan struct{}), make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- b.Run(ctx, func(e Event) {
				got = append(got, e)
				if e.Initial {
					close(entered)
					<-leave
				}
			})
		}()
		<-entered
		for i := range 501 {
			time.Sleep(ms)
			must(t, s.Press("bell", i%2 == 0))
		}
		close(leave)
		time.Sleep(time.Second)
		cancel()
		must(t, <-done)
		if len(got) != 2 || !got[1].Active || got[1].At < 430*ms {
			t.Errorf("events %+v", got)
		}
	})
}

func TestEmptyBoard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := Open(Config{Sim: true})
		must(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		must(t, b.Run(ctx, func(e Event) { t.Errorf("event %+v", e) }))
		must(t, b.Close())
	})
	if err := ReleaseAll(Config{Sim: true}); err != nil {
		t.Error(err)
	}
}
