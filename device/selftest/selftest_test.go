package selftest_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/board"
	"portero/device/config"
	"portero/device/event"
	"portero/device/selftest"
)

// user answers questions and moves contacts. A rule acts when its text was said.
type user struct {
	io.Reader
	keys  *io.PipeWriter
	rules []rule

	mu      sync.Mutex
	said    strings.Builder
	pending string
}

type rule struct {
	when string
	do   func(*user)
}

// types has a line typed at a question.
func types(when, line string) rule {
	return rule{when, func(u *user) {
		_, _ = io.WriteString(u.keys, line+"\n") // after the end nobody reads
	}}
}

func (u *user) Write(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.said.Write(p)
	u.pending += string(p)
	for _, r := range u.rules {
		if strings.Contains(u.pending, r.when) {
			u.pending = ""
			go r.do(u)
			break
		}
	}
	return len(p), nil
}

func (u *user) heard() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.said.String()
}

// room is a loudspeaker that the microphone hears at a third.
type room struct{ late []int16 }

func (r *room) Rate() int    { return 16000 }
func (r *room) Period() int  { return 160 }
func (r *room) Close() error { return nil }

func (r *room) Exchange(play, capture []int16) (audio.Slip, error) {
	for i := range capture {
		capture[i] = 0
		if r.late != nil {
			capture[i] = r.late[i] / 3
		}
	}
	r.late = append(r.late[:0], play...)
	time.Sleep(10 * time.Millisecond) // the card's pace
	return audio.Slip{}, nil
}

func station(dir string) *config.Config {
	c := config.Default()
	c.Station.DataDir = dir
	const debounce = 30 * time.Millisecond
	c.Bells = []config.Bell{{Name: "front", Line: "GPIO17", ActiveLow: true, Bias: "pull-up", Debounce: debounce,
		Targets: []string{"sip:anna@example.org"}}}
	c.Inputs = []config.Input{
		{Name: "exit", Kind: config.REX, Line: "GPIO24", ActiveLow: true, Bias: "pull-up", Debounce: debounce, Door: "front"},
		{Name: "leaf", Kind: config.Contact, Line: "GPIO25", Bias: "pull-up", Debounce: debounce, Door: "front"}}
	c.Doors = []config.Door{{Name: "front", Line: "GPIO27", SwitchOn: 3 * time.Second, Longest: 10 * time.Second}}
	c.Lamps = []config.Lamp{{Name: "ready", Line: "GPIO12", Shows: config.ShowsReady}}
	c.Codes = []config.Code{{Who: "family", Code: "730158", Doors: []string{"front"}}}
	c.Accounts = []config.Account{{Name: "home", Server: "pbx.example.org", User: "doorbell",
		Password: "long-and-secret"}}
	return c
}

// test is a walk over simulated hardware.
type test struct {
	*user
	parts selftest.Parts
	sim   *board.Sim
	opens int
	stop  context.CancelFunc
	ctx   context.Context
}

func newTest(t *testing.T, rules ...rule) *test {
	in, keys := io.Pipe()
	u := &user{Reader: in, keys: keys, rules: rules}
	x := &test{user: u, sim: board.NewSim()}
	x.ctx, x.stop = context.WithCancel(t.Context())
	x.parts = selftest.Parts{Config: station(t.TempDir()), Open: func(c board.Config) (*board.Board, error) {
		x.opens++
		return x.sim.Open(c)
	}, Who: "anna", Version: "v1", In: u, Out: u, Log: slog.New(slog.DiscardHandler)}
	t.Cleanup(func() {
		x.stop()
		_ = keys.Close() // always nil
		_ = in.Close()
	})
	return x
}

// hears gives the station a card.
func (x *test) hears() {
	x.parts.Card = func(context.Context, audio.Use) (audio.Duplex, error) { return &room{}, nil }
}

func (x *test) run() (*selftest.Report, error) { return selftest.Run(x.ctx, x.parts) }

// moves has a contact moved away and back, with bounces that many edges long.
func (x *test) moves(when, input string, to bool, bounces int) rule {
	return rule{when, func(*user) {
		_ = x.sim.Press(input, to) // the input is there, or the walk fails
		for i := range bounces {
			time.Sleep(time.Millisecond)
			_ = x.sim.Press(input, to == (i%2 == 1))
		}
		time.Sleep(300 * time.Millisecond)
		_ = x.sim.Press(input, !to)
	}}
}

func (x *test) relay() (edges []board.Edge) { return x.sim.Edges("door:front") }

// willing is somebody who does as he is told and finds everything right.
func willing(x *test) []rule {
	return []rule{types("Type \"", selftest.Confirmation),
		x.moves("bell \"front\" on GPIO17: press the", "bell:front", true, 4),
		x.moves("rex \"exit\" on GPIO24: press the", "input:exit", true, 0),
		x.moves("contact \"leaf\" on GPIO25: open", "input:leaf", true, 0),
		types("skip] ", "y")}
}

func TestWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTest(t)
		x.hears()
		x.rules = willing(x)
		r, err := x.run()
		if err != nil || r.Faults() != 0 {
			t.Fatalf("%v\n%s", err, x.heard())
		}
		edges := x.relay()
		if len(edges) != 2 || !edges[0].Active || edges[1].At-edges[0].At != 3*time.Second {
			t.Errorf("the relay: %+v", edges)
		}
		if n := len(x.sim.Edges("lamp:ready")); n != 2 {
			t.Errorf("the lamp: %d edges", n)
		}
		events, torn, err := event.ReadAudit(filepath.Join(x.parts.Config.Station.DataDir, "audit.jsonl"))
		if err != nil || torn != 0 || len(events) != 2 {
			t.Fatalf("audit: %v, %d torn, %+v", err, torn, events)
		}
		for i, kind := range []event.Kind{event.DoorOpened, event.DoorClosed} {
			e := events[i]
			if e.Kind != kind || e.How != event.BySelfTest || e.Who != "anna" || e.Door != "front" {
				t.Errorf("audit: %+v", e)
			}
		}
		text := r.String()
		for _, want := range []string{
			`bell "front" on GPIO17: presses 1, bounces 4, spikes 0, held for 304ms to 304ms`,
			`door "front", relay on GPIO27: on for 3s, then released`,
			`lamp "ready" on GPIO12: lit, then dark`, "loudspeaker: heard",
			`relay "door:front": GPIO27 (not found), active_low = false`, "0 faults"} {
			if !strings.Contains(text, want) {
				t.Errorf("the report lacks %q:\n%s", want, text)
			}
		}
		secrets := []string{"730158", "family", "long-and-secret", "pbx.example.org", "doorbell", "anna"}
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("the report tells %q", secret)
			}
		}
	})
}

// TestNothingMovesUnconfirmed: already the request of a line would energise a relay of the wrong polarity.
func TestNothingMovesUnconfirmed(t *testing.T) {
	for _, typed := range []string{"", "y", "yes", "the strike is plugged", selftest.Confirmation + "!"} {
		synctest.Test(t, func(t *testing.T) {
			x := newTest(t, types("Type \"", typed), types("skip] ", "y"))
			r, err := x.run()
			if r != nil || !errors.Is(err, selftest.ErrNotConfirmed) || x.opens != 0 {
				t.Errorf("%q: %v, the lines were requested %d times", typed, err, x.opens)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		x := newTest(t, rule{"Type \"", func(u *user) { u.keys.Close() }})
		if r, err := x.run(); r != nil || !errors.Is(err, io.ErrUnexpectedEOF) || x.opens != 0 {
			t.Errorf("nobody there: %v", err)
		}
	})
}

func TestRunningStationIsLeftAlone(t *testing.T) {
	busy := &board.BusyError{Line: "gpiochip0:27", Consumer: "portero:door:front"}
	synctest.Test(t, func(t *testing.T) {
		x := newTest(t, types("Type \"", selftest.Confirmation))
		running, err := x.sim.Open(x.parts.Config.BoardConfig())
		if err != nil {
			t.Fatal(err)
		}
		defer running.Close()
		r, err := x.run()
		if r != nil || !errors.Is(err, selftest.ErrRunning) || !strings.Contains(err.Error(), "systemctl stop") {
			t.Errorf("lines that are held: %v", err)
		}
		x.parts.Check = func(board.Config) []error { return []error{busy} }
		x.opens = 0
		if r, err := x.run(); r != nil || !errors.Is(err, selftest.ErrRunning) || x.opens != 0 {
			t.Errorf("found before the question: %v", err)
		}
		if len(x.relay()) != 0 {
			t.Errorf("the relay moved: %+v", x.relay())
		}
	})
}

// TestEndReleases ends the walk while a relay is on, in each way that it may end.
func TestEndReleases(t *testing.T) {
	for name, end := range map[string]func(*test){
		"interrupted": func(x *test) { x.stop() },
		"chip gone":   func(x *test) { x.sim.Unplug() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newTest(t)
				x.rules = append([]rule{{"it may click", func(u *user) {
					_, _ = io.WriteString(u.keys, "y\n")
					time.Sleep(time.Second)
					end(x)
				}}}, willing(x)...)
				r, err := x.run()
				if err == nil || r == nil || r.Faults() == 0 || !strings.Contains(r.String(), "ended early") {
					t.Fatalf("%v\n%v", err, r)
				}
				edges := x.relay()
				if name == "chip gone" {
					return // nothing can move it any more; the walk ends, and says so
				}
				if len(edges) != 2 || edges[1].Active || edges[1].At-edges[0].At != time.Second {
					t.Errorf("the relay: %+v", edges)
				}
				audit := filepath.Join(x.parts.Config.Station.DataDir, "audit.jsonl")
				events, _, err := event.ReadAudit(audit)
				if err != nil || len(events) != 2 || events[1].Kind != event.DoorClosed {
					t.Errorf("audit: %v, %+v", err, events)
				}
			})
		})
	}
}

func TestRelayIsLeftAlone(t *testing.T) {
	for name, prepare := range map[string]func(*test){
		"energised already": func(x *test) { x.rules = append([]rule{types("released now", "n")}, x.rules...) },
		"skipped":           func(x *test) { x.rules = append([]rule{types("released now", "s")}, x.rules...) },
		"not allowed":       func(x *test) { x.rules = append([]rule{types("it may click", "n")}, x.rules...) },
		"nobody's code":     func(x *test) { x.parts.Config.Codes, x.parts.Config.Inputs = nil, nil },
		"tamper block": func(x *test) {
			blocked := filepath.Join(x.parts.Config.Station.DataDir, "tamper.json")
			if err := os.WriteFile(blocked, []byte(`{"blocked":true}`), 0o600); err != nil {
				panic(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newTest(t)
				x.rules = willing(x)
				prepare(x)
				r, err := x.run()
				if err != nil || len(x.relay()) != 0 {
					t.Errorf("%v, relay %+v\n%s", err, x.relay(), x.heard())
				}
				if strings.Contains(r.String(), "then released") {
					t.Errorf("it claims what was not:\n%s", r)
				}
			})
		})
	}
}

// TestFaultsAreFound wires things wrongly and wants each told.
func TestFaultsAreFound(t *testing.T) {
	for want, wrong := range map[string]func(*test) rule{
		`bell "front" on GPIO17: nothing was seen`: func(*test) rule {
			return rule{"bell \"front\" on GPIO17: press the", func(*user) {}}
		},
		`2 edges while bell "front" on GPIO17 was moved`: func(x *test) rule {
			return rule{"bell \"front\" on GPIO17: press the", func(u *user) {
				x.moves("", "input:exit", true, 0).do(u)
				x.moves("", "bell:front", true, 0).do(u)
			}}
		},
		"edges while nobody touched it": func(x *test) rule {
			return rule{"touch nothing", func(*user) {
				time.Sleep(time.Second)
				_ = x.sim.Press("bell:front", true)
				time.Sleep(2 * time.Millisecond)
				_ = x.sim.Press("bell:front", false)
			}}
		},
		"active at rest": func(x *test) rule {
			if err := x.sim.Pull("GPIO17", false); err != nil {
				panic(err)
			}
			return rule{"Type \"", types("", selftest.Confirmation).do}
		},
		"but nobody saw it": func(*test) rule { return types("Did it click", "n") },
		"the relay failed": func(x *test) rule {
			return rule{"it may click", func(u *user) {
				x.sim.Fail("door:front", true, 1, 1)
				types("", "y").do(u)
			}}
		},
		"it made 2 edges": func(x *test) rule {
			return rule{"it may click", func(u *user) {
				types("", "y").do(u)
				time.Sleep(time.Second)
				x.moves("", "input:exit", true, 0).do(u)
			}}
		},
		"not as it should be": func(*test) rule { return types("is it lit", "n") },
		"loudspeaker: not heard": func(x *test) rule {
			x.hears()
			return types("Did you hear", "n")
		},
	} {
		t.Run(want, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newTest(t)
				x.rules = append([]rule{wrong(x)}, willing(x)...)
				r, err := x.run()
				if err != nil || r.Faults() == 0 || !strings.Contains(r.String(), want) {
					t.Errorf("%v\n%v", err, r)
				}
			})
		})
	}
}

// TestRelayThatSticks: a relay that cannot be released is no opening that went well.
func TestRelayThatSticks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTest(t)
		x.rules = append([]rule{{"it may click", func(u *user) {
			x.sim.Fail("door:front", false, 1, -1)
			types("", "y").do(u)
		}}}, willing(x)...)
		r, err := x.run()
		if err == nil || !strings.Contains(r.String(), "pull the board's plug") {
			t.Errorf("%v\n%v", err, r)
		}
		if strings.Contains(r.String(), "then released") {
			t.Errorf("it claims what was not:\n%s", r)
		}
	})
}
