package board

import "time"

// Event is a change of an input.
type Event struct {
	Line    string        // the Input's Name
	Active  bool          // pressed, open, tampered: the wire's polarity is already applied
	At      time.Duration // CLOCK_MONOTONIC of the edge
	Initial bool          // the level found at Open, when a later Run began or when the line came late: not a press
	Stuck   bool          // no change: active for StuckAfter, reported once per press

	// Of a Late board alone, for relays and lamps as well. Active and At mean nothing with them.
	Lost error // the line cannot be had, or has gone: why, and the remedy
	Back bool  // the line is held from now on, also where no loss was told; of an input the level follows, Initial
}

// acGap is how long an AC contact may be silent and still be the same press: half a wave of 50 Hz behind an
// optocoupler is silent for up to 18 ms.
const acGap = 25 * time.Millisecond

// debouncer turns the edges of one input into events: the first edge counts at once, the following ones are
// bounces until the line has been quiet for the window, then the level decides. The quiet time restarts at
// each bounce, so that a train of any length (a worn button, a bell transformer's 50 Hz behind an
// optocoupler) is one press.
//
// With hold a contact counts once it has lasted, from its first to its last active instant, with gaps of up
// to bridge in between; so a spike on the wire is nothing. Its end counts once the line has been quiet for
// the window, so that a spike in it ends nothing. Where an edge was missed the contact is taken to have been
// interrupted. All times are the kernel's.
type debouncer struct {
	name       string
	window     time.Duration
	stuckAfter time.Duration
	hold       time.Duration // 0: the first edge counts
	bridge     time.Duration
	pulses     pulses

	active  bool          // as posted
	level   bool          // as last seen, in an edge or by reading
	levelAt time.Duration // when that was
	read    time.Duration // earlier edges are part of a level already read
	found   bool          // level was read when the board was opened
	open    bool          // bounces are being ignored
	until   time.Duration // the end of the window
	lasting bool          // a contact goes on that does not count yet
	since   time.Duration // its first active instant
	watch   bool          // a Stuck event is owed
	stuckAt time.Duration
}

func newDebouncer(in Input) *debouncer {
	d := &debouncer{name: in.Name, window: in.Debounce, stuckAfter: in.StuckAfter, hold: in.Hold}
	if !in.AC {
		d.pulses.window = in.shortest()
		return d
	}
	d.bridge = acGap
	d.window = max(d.window, acGap+time.Millisecond) // the gaps end no press either
	return d
}

// begin takes the level found at time at as the first truth.
func (d *debouncer) begin(level bool, at time.Duration, post func(Event)) {
	d.level, d.levelAt, d.read, d.open, d.found, d.lasting = level, at, at, false, false, false
	d.becomes(level, at)
	post(Event{Line: d.name, Active: level, At: at, Initial: true})
}

// edge takes one edge in the order of time.
func (d *debouncer) edge(active bool, at time.Duration, post func(Event)) {
	d.pulses.edge(at)
	if at < d.read {
		return
	}
	bounce := d.open && at < d.until
	if d.open && !bounce && d.level != d.active {
		d.change(d.level, d.levelAt, post) // the window ended in between, but the reader was late: the last bounce was the truth
	}
	if d.hold > 0 && !d.active {
		d.awaited(active, at, post)
		return
	}
	d.see(active, at)
	if !bounce && active != d.active && (d.hold == 0 || !d.open) {
		d.change(active, at, post)
	}
}

// awaited takes an edge of a contact that has to last.
func (d *debouncer) awaited(active bool, at time.Duration, post func(Event)) {
	was, same := d.level, d.lasting && d.bridged(at)
	d.level, d.levelAt, d.open = active, at, false
	switch {
	case active && !same:
		d.lasting, d.since = true, at
	case !active && !was: // the edge before was missed
		d.lasting = same
	case d.lasting && at-d.since >= d.hold:
		d.press(at, post)
	}
}

// bridged says whether what happens at time at belongs to the contact of the last edge.
func (d *debouncer) bridged(at time.Duration) bool { return d.bridge > 0 && at-d.levelAt <= d.bridge }

// press posts a contact that has lasted. What follows it is bouncing.
func (d *debouncer) press(at time.Duration, post func(Event)) {
	d.lasting = false
	d.change(true, d.since, post)
	d.see(d.level, at)
	if !d.level && !d.open {
		d.change(false, at, post)
	}
}

// settle takes the level read at time at, with no edge waiting.
func (d *debouncer) settle(level bool, at time.Duration, post func(Event)) {
	d.read = at
	if d.hold > 0 && !d.active {
		d.lookedAt(level, at, post)
		return
	}
	d.open = false
	since := d.levelAt
	if level != d.level { // an edge nobody reported, or one still on its way: its bounces will follow
		since = at
		d.see(level, at)
	}
	if level != d.active {
		d.change(level, since, post)
	}
}

// lookedAt takes the level of a contact that has to last.
func (d *debouncer) lookedAt(level bool, at time.Duration, post func(Event)) {
	same := d.lasting && (d.level || d.bridged(at))
	d.lasting, d.open = level || same && d.bridge > 0, false
	if level && !same { // no edge of it was seen: it has to last from now on
		d.since = at
	}
	if level != d.level {
		d.level, d.levelAt = level, at
	}
	if level && at-d.since >= d.hold {
		d.press(at, post)
	}
}

// settles says whether the level is to be read at time now.
func (d *debouncer) settles(now time.Duration) bool {
	return d.open && now >= d.until || d.lasting && d.level && now >= d.since+d.hold
}

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
	if d.lasting && d.level {
		t = min(t, d.since+d.hold)
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
	d.becomes(active, at)
	post(Event{Line: d.name, Active: active, At: at})
}

func (d *debouncer) becomes(active bool, at time.Duration) {
	d.active = active
	d.watch, d.stuckAt = active && d.stuckAfter > 0, at+d.stuckAfter
}
