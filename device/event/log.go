package event

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Log takes events from anybody, keeps the last ones and hands them to its subscribers. It is safe for
// concurrent use.
type Log struct {
	mu   sync.Mutex
	last ring
	subs []*Subscription
}

// NewLog makes a log that remembers the last keep events (at least one).
func NewLog(keep int) *Log { return &Log{last: newRing(keep)} }

// Emit records e. It never blocks; a zero At becomes now, and Clock says so while the time of day cannot be
// believed.
func (l *Log) Emit(e Event) {
	e.stamp()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last.push(e)
	for _, s := range l.subs {
		s.offer(e)
	}
}

func (e *Event) stamp() {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	if !TimeKnown() {
		e.Clock = ClockUnknown
	}
}

// Recent returns the last events, oldest first.
func (l *Log) Recent() []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]Event, l.last.n)
	for i := range out {
		out[i] = *l.last.at(i)
	}
	return out
}

// Subscribe returns a subscription to all events, or those of the given kinds, that holds up to size events
// (at least one) for a reader who is late. Events before the call are not delivered.
func (l *Log) Subscribe(size int, kinds ...Kind) *Subscription {
	s := &Subscription{log: l, kinds: kinds, wake: make(chan struct{}, 1), queue: newRing(size)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subs = append(l.subs, s)
	return s
}

// Subscription is one reader's bounded queue. Its methods other than Close are for one goroutine.
type Subscription struct {
	log   *Log
	kinds []Kind
	wake  chan struct{}

	mu    sync.Mutex
	queue ring
	lost  uint64
}

func (s *Subscription) offer(e Event) {
	if len(s.kinds) > 0 && !slices.Contains(s.kinds, e.Kind) {
		return
	}
	s.mu.Lock()
	if s.queue.push(e) {
		s.lost++
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// TryNext returns the next event that is already there. Where events were lost, an [EventsLost] with their
// number comes first.
func (s *Subscription) TryNext() (Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost > 0 {
		e := Event{Kind: EventsLost, Lost: s.lost}
		e.stamp()
		s.lost = 0
		return e, true
	}
	return s.queue.pop()
}

// Next waits for the next event. Its error is the context's.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	for {
		if e, ok := s.TryNext(); ok {
			return e, nil
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return Event{}, ctx.Err()
		}
	}
}

// Close ends the subscription; what it still holds can be read.
func (s *Subscription) Close() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.subs = slices.DeleteFunc(s.log.subs, func(x *Subscription) bool { return x == s })
}

// Report writes each event to logger, message "event", until ctx ends, then what is still queued. That the
// clock is unknown stands in the first line alone for which that is so. It closes the subscription.
func (s *Subscription) Report(ctx context.Context, logger *slog.Logger) error {
	clock := ""
	write := func(e Event) {
		if e.Clock == clock {
			e.Clock = ""
		} else {
			clock = e.Clock
		}
		logger.LogAttrs(context.WithoutCancel(ctx), e.Level(), "event", e.LogAttrs()...)
	}
	for {
		e, err := s.Next(ctx)
		if err != nil {
			break
		}
		write(e)
	}
	s.Close()
	for e, ok := s.TryNext(); ok; e, ok = s.TryNext() {
		write(e)
	}
	return nil
}

// ring is a queue of fixed size that overwrites its oldest element.
type ring struct {
	buf     []Event
	head, n int
}

func newRing(size int) ring { return ring{buf: make([]Event, max(size, 1))} }

func (r *ring) at(i int) *Event { return &r.buf[(r.head+i)%len(r.buf)] }

// push appends e and says whether it overwrote the oldest.
func (r *ring) push(e Event) (overwrote bool) {
	if r.n == len(r.buf) {
		r.head = (r.head + 1) % len(r.buf)
		r.n--
		overwrote = true
	}
	*r.at(r.n) = e
	r.n++
	return overwrote
}

func (r *ring) pop() (Event, bool) {
	if r.n == 0 {
		return Event{}, false
	}
	e := *r.at(0)
	*r.at(0) = Event{}
	r.head = (r.head + 1) % len(r.buf)
	r.n--
	return e, true
}
