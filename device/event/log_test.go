package event

import (
	"bytes"
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

func numbered(i int) Event { return Event{Kind: InputChanged, Input: strconv.Itoa(i)} }

func TestRecentKeepsTheLast(t *testing.T) {
	l := NewLog(3)
	if len(l.Recent()) != 0 {
		t.Error("a new log holds events")
	}
	for i := range 5 {
		l.Emit(numbered(i))
	}
	var got []string
	for _, e := range l.Recent() {
		got = append(got, e.Input)
		if e.At.IsZero() {
			t.Error("At is not set")
		}
	}
	if s := strings.Join(got, " "); s != "2 3 4" {
		t.Errorf("recent: %s", s)
	}
}

func TestSlowSubscriberLosesOldestAndIsTold(t *testing.T) {
	l := NewLog(1)
	slow, other := l.Subscribe(2), l.Subscribe(100)
	for i := range 5 {
		l.Emit(numbered(i)) // nobody reads: Emit must not block
	}
	want := []Event{{Kind: EventsLost, Lost: 3}, numbered(3), numbered(4)}
	for _, w := range want {
		e, err := slow.Next(t.Context())
		if err != nil || e.Kind != w.Kind || e.Input != w.Input || e.Lost != w.Lost {
			t.Errorf("got %+v, %v; want %+v", e, err, w)
		}
	}
	if e, ok := slow.TryNext(); ok {
		t.Errorf("more: %+v", e)
	}
	for i := range 5 {
		if e, _ := other.TryNext(); e.Input != strconv.Itoa(i) {
			t.Errorf("the other subscriber got %+v, want %d", e, i)
		}
	}
}

func TestSubscribeByKindAndClose(t *testing.T) {
	l := NewLog(1)
	s := l.Subscribe(10, DoorOpened)
	l.Emit(Event{Kind: BellPressed})
	l.Emit(Event{Kind: DoorOpened, Door: "front"})
	s.Close()
	l.Emit(Event{Kind: DoorOpened, Door: "late"})
	if e, ok := s.TryNext(); !ok || e.Door != "front" {
		t.Errorf("got %+v, %v", e, ok)
	}
	if e, ok := s.TryNext(); ok {
		t.Errorf("after Close: %+v", e)
	}
}

func TestNextWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLog(1)
		s := l.Subscribe(1)
		got := make(chan Event)
		go func() {
			e, _ := s.Next(t.Context())
			got <- e
		}()
		synctest.Wait()
		l.Emit(numbered(1))
		if e := <-got; e.Input != "1" {
			t.Errorf("got %+v", e)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Next(ctx); err != context.Canceled {
			t.Errorf("err = %v", err)
		}
	})
}

func TestReportDrainsAtTheEnd(t *testing.T) {
	knowTime(t)
	l := NewLog(1)
	s := l.Subscribe(10)
	l.Emit(Event{Kind: StationStarted})
	l.Emit(Event{Kind: DoorFailed, Door: "front", Reason: "x"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var buf bytes.Buffer
	if err := s.Report(ctx, slog.New(slog.NewTextHandler(&buf, nil))); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"level=INFO msg=event kind=station.started", "level=ERROR msg=event kind=door.failed door=front reason=x"} {
		if !strings.Contains(buf.String(), want) {
			t.Errorf("log lacks %q:\n%s", want, buf.String())
		}
	}
}

// TestReportTellsTheClockOnce: an unknown time stands in one line, not in each, and again when it was known
// meanwhile. The events keep it.
func TestReportTellsTheClockOnce(t *testing.T) {
	knowTime(t)
	l := NewLog(10)
	s := l.Subscribe(10)
	for _, clock := range []string{ClockUnknown, ClockUnknown, "", ClockUnknown} {
		l.Emit(Event{Kind: BellPressed, Clock: clock})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var buf bytes.Buffer
	if err := s.Report(ctx, slog.New(slog.NewTextHandler(&buf, nil))); err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(buf.String()), "\n") {
		if got, want := strings.Contains(line, "clock=unknown"), i == 0 || i == 3; got != want {
			t.Errorf("line %d: %s", i, line)
		}
	}
	if e := l.Recent()[1]; e.Clock != ClockUnknown {
		t.Errorf("%+v", e)
	}
}

func TestConcurrentEmit(t *testing.T) {
	l := NewLog(10)
	s := l.Subscribe(10000)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 500 {
				l.Emit(numbered(i))
			}
		})
	}
	wg.Wait()
	n := 0
	for _, ok := s.TryNext(); ok; _, ok = s.TryNext() {
		n++
	}
	if n != 4000 {
		t.Errorf("%d events arrived, want 4000", n)
	}
}

func TestEmitAllocatesNothing(t *testing.T) {
	knowTime(t) // while it is unknown each event asks for it
	l := NewLog(64)
	l.Subscribe(16)
	e := Event{Kind: DoorOpened, Door: "front"}
	if n := testing.AllocsPerRun(100, func() { l.Emit(e) }); n != 0 {
		t.Errorf("Emit allocates %v times", n)
	}
}

func BenchmarkEmit(b *testing.B) {
	l := NewLog(64)
	l.Subscribe(16)
	e := Event{Kind: DoorOpened, Door: "front"}
	b.ReportAllocs()
	for b.Loop() {
		l.Emit(e)
	}
}

// knowTime makes this machine's clock one that is believed.
func knowTime(t *testing.T) {
	was := believed.Swap(true)
	t.Cleanup(func() { believed.Store(was) })
}
