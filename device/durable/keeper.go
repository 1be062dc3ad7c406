package durable

import (
	"context"
	"time"
)

// Retry is how long after a failed write a [Keeper] tries again.
const Retry = 10 * time.Second

// A Source returns what a file is to hold from now on, and when that changes by itself (zero: it does not).
// A Keeper calls it from the goroutine of its Run.
type Source func() (data []byte, until time.Time, err error)

// Keeper keeps a file up to date from a goroutine of its own, so that nobody else waits for the medium.
type Keeper struct {
	path    string
	pause   time.Duration
	source  Source
	failed  func(error)
	changed chan struct{}
}

// NewKeeper makes the keeper of the file at path; it writes nothing before [Keeper.Changed]. pause is the
// least time between the writes of two changes: it spares the medium. failed is told why a write failed; it
// is tried again after [Retry], or after pause if that is longer.
func NewKeeper(path string, pause time.Duration, source Source, failed func(error)) *Keeper {
	return &Keeper{path: path, pause: pause, source: source, failed: failed, changed: make(chan struct{}, 1)}
}

// Changed says that the source has something new. It never blocks.
func (k *Keeper) Changed() {
	select {
	case k.changed <- struct{}{}:
	default: // Run will ask for the newest anyway
	}
}

// Run writes each change until ctx ends, and then what is not written yet.
func (k *Keeper) Run(ctx context.Context) error {
	var again, rest <-chan time.Time
	changed, owing := k.changed, false
	write := func() {
		until, err := k.write()
		again, owing = nil, err != nil
		if err != nil {
			k.failed(err)
			again = time.After(max(k.pause, Retry))
		} else if !until.IsZero() {
			again = time.After(time.Until(until))
		}
	}
	for {
		select {
		case <-changed:
			write()
			if k.pause > 0 {
				changed, rest = nil, time.After(k.pause)
			}
		case <-rest:
			changed = k.changed
		case <-again:
			write()
		case <-ctx.Done():
			select {
			case <-k.changed:
				owing = true
			default:
			}
			if owing {
				write()
			}
			return nil
		}
	}
}

func (k *Keeper) write() (until time.Time, err error) {
	data, until, err := k.source()
	if err == nil {
		err = Write(k.path, data)
	}
	return until, err
}
