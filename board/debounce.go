package board

import "time"

// Event is a change of an input.
type Event struct {
	Line    string        // the Input's Name
	Active  bool          // pressed, open, tampered: the wire's polarity is already applied
	At      time.Duration // CLOCK_MONOTONIC of the edge
	Initial bool          // the level found at Open, or when a later Run began: not a press
	Stuck   bool          // no change: active for StuckAfter, reported once per press
}

// debouncer turns the edges of one input into events: the first edge counts at once, the following ones are bounces until the line
// has been quiet for the window, then the level decides. The quiet time restarts at each bounce, so that a train of any length
// (a worn button, a bell transformer's 50 Hz behind an optocoupler) is one press. An input to be confirmed posts active only at the
// end of such a quiet window, so a spike on the wire is nothing. All times are the kernel's.
type debouncer struct {
	name       string
	window     time.Duration
	stuckAfter time.Duration
	confirm    bool // active counts only once it has lasted for the window: a spike must not open a door

	active  bool          // as posted
	level   bool          // as last seen, in an edge or by reading
	levelAt time.Duration // when that was
	read    time.Duration // earlier edges are part of a level already read
	found   bool          // level was read when the board was opened
	open    bool          // bounces are being ignored
	until   time.Duration // the end of the window
	watch   bool          // a Stuck event is owed
	stuckAt time.Duration
}

// begin takes the level found at time at as the first truth.
func (d *debouncer) begin(level bool, at time.Duration, post func(Event)) {
	d.level, d.levelAt, d.read, d.open, d.found = level, at, at, false, false
	d.hold(level, at)
	post(Event{Line: d.name, Active: level, At: at, Initial: true})
}

// edge takes one edge in the order of time.
func (d *debouncer) edge(active bool, at time.Duration, post func(Event)) {
	if at < d.read {
		return
	}
	if d.open && at < d.until {
		d.see(active, at)
		return
	}
	if d.open && d.level != d.active {
		d.change(d.level, d.levelAt, post) // the window ended in between, but the reader was late: the last bounce was the truth
	}
	d.see(active, at)
	if active != d.active && !(active && d.confirm) {
		d.change(active, at, post)
	}
}

// settle takes the level read at time at, with no edge waiting.
func (d *debouncer) settle(level bool, at time.Duration, post func(Event)) {
	if d.confirm && level && !d.active && (!d.open || !d.level) { // no edge of it was seen: it has to last from now on
		d.read = at
		d.see(level, at)
		return
	}
	d.open, d.read = false, at
	since := d.levelAt
	if level != d.level { // an edge nobody reported, or one still on its way: its bounces will follow
		since = at
		d.see(level, at)
	}
	if level != d.active {
		d.change(level, since, post)
	}
}

// settles says whether the level is to be read at time now.
func (d *debouncer) settles(now time.Duration) bool { return d.open && now >= d.until }

// stuck posts the Stuck event once it is due.
func (d *debouncer) stuck(now time.Duration, post func(Event)) {
	if d.watch && now >= d.stuckAt {
		d.watch = false
		post(Event{Line: d.name, Active: true, At: d.stuckAt, Stuck: true})
	}
}

// due is the earlier of t and the time at which settles or stuck has something to do.
func (d *debouncer) due(t time.Duration) time.Duration {
	if d.open {
		t = min(t, d.until)
	}
	if d.watch {
		t = min(t, d.stuckAt)
	}
	return t
}

func (d *debouncer) see(level bool, at time.Duration) {
	d.level, d.levelAt = level, at
	d.open, d.until = d.window > 0, at+d.window
}

func (d *debouncer) change(active bool, at time.Duration, post func(Event)) {
	d.hold(active, at)
	post(Event{Line: d.name, Active: active, At: at})
}

func (d *debouncer) hold(active bool, at time.Duration) {
	d.active = active
	d.watch, d.stuckAt = active && d.stuckAfter > 0, at+d.stuckAfter
}
