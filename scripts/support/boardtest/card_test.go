//go:build boardtest

package boardtest

import (
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"portero/scripts/support/boardtest/wire"
	"portero/scripts/support/interop"
)

// The card is pulled at four moments of a station's life, a boot each: what is in memory must do. Then the
// unit's processes die one way or another, with nothing of systemd left that could help.

func TestCardIdle(t *testing.T) {
	t.Parallel()
	r := newLone(t, false)
	r.check("card pulled while idle: the bell rings", nil, func(*testing.T) { r.rings(r.pull(), outboard) })
	r.check("no card: the inside button opens and closes", nil, func(*testing.T) { r.leaves() })
	r.struck("no card, relay on: the station is killed", func() time.Time {
		return r.signalTo(wire.Station, syscall.SIGKILL)
	})
	r.struck("no card, relay on: the guard is killed", func() time.Time {
		return r.signalTo(wire.Guard, syscall.SIGKILL)
	})
	r.accounted()
}

func TestCardRinging(t *testing.T) {
	t.Parallel()
	r := newLone(t, false)
	r.check("card pulled while ringing: answered, the talk goes on", nil, func(*testing.T) {
		invite := r.inviteYard()
		r.yard.Send(invite.From, interop.Reply(invite, "180 Ringing", "yard", ""))
		r.pull()
		r.talks(invite, func() {})
	})
	r.struck("no card, relay on: the station is stopped", func() time.Time {
		return r.signalTo(wire.Station, syscall.SIGSTOP)
	})
	r.struck("no card, relay on: the guard is stopped", func() time.Time {
		return r.signalTo(wire.Guard, syscall.SIGSTOP)
	})
	r.accounted()
}

func TestCardTalking(t *testing.T) {
	t.Parallel()
	r := newLone(t, false)
	r.check("card pulled while talking: the talk goes on", nil, func(*testing.T) {
		r.talks(r.inviteYard(), func() { r.pull() })
	})
	r.check("no card: the bell rings after the talk", nil, func(*testing.T) { r.rings(time.Now(), outboard) })
	r.struck("no card, relay on: the station runs out of memory", func() time.Time {
		return r.runsOut(wire.Station)
	})
	r.struck("no card, relay on: the guard runs out of memory", func() time.Time {
		return r.runsOut(wire.Guard)
	})
	r.accounted()
}

// talks answers at the yard, does something, and wants sound to go on after that.
func (r *rig) talks(invite interop.Message, deed func()) {
	r.now.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	r.must(err)
	defer conn.Close()
	var packets atomic.Int64
	go sendBack(conn, &packets)
	began := time.Now()
	hangUp := r.answerAtYard(invite, conn.LocalAddr().(*net.UDPAddr).Port)
	deed()
	const more = 150 // 3 s of them
	pulled := time.Now()
	for before := packets.Load(); packets.Load() < before+more; time.Sleep(20 * time.Millisecond) {
		if time.Since(pulled) > outboard {
			r.now.Fatalf("%d packets of sound in %v, want %d", packets.Load()-before, outboard, more)
		}
	}
	r.measured("%d packets in %.1f s", more, time.Since(pulled).Seconds())
	if n := len(r.guest.Find(began, "call.ended")); n != 0 {
		r.errorf("the call has ended, want it to go on")
	}
	hangUp()
}

func TestCardOpen(t *testing.T) {
	t.Parallel()
	r := newLone(t, true)
	r.check("card pulled while the relay is on: the lease ends", nil, func(*testing.T) {
		on := r.exitOnce()
		r.pull()
		r.lasts(on, switchOn)
	})
	r.check("no card: the bell rings, the inside button opens", nil, func(*testing.T) {
		r.rings(time.Now(), outboard)
		r.leaves()
	})
	// PID 1 cannot live without its program: the kernel panics. kernel.panic=5 ends that.
	r.check("no card, relay on, mapped pages evicted: the board resets", nil, func(*testing.T) {
		r.set("/proc/sys/kernel/panic", "5")
		on := r.exitOnce()
		evicted := time.Now()
		// The answer may be lost with the board.
		go func() { _ = r.guest.call("Reclaim", "", nil, outboard) }()
		// The panic's 5 s are a delay loop, which takes longer where the emulated core is not always given
		// one.
		r.releasedBy(on, on.At, 3*outboard)
		r.settled(on, 2)
		if !strings.Contains(r.guest.Log(), "Kernel panic") {
			r.errorf("no panic: the mapped pages are there still")
		}
		ready, err := r.guest.Await(evicted, bootWithin, "systemd.ready")
		r.must(err)
		r.measured("station ready %.1f s after", ready.At.Sub(evicted).Seconds())
		r.rings(ready.At, outboard)
	})
	r.accounted()
}

func TestCardSwap(t *testing.T) {
	t.Parallel()
	r := newLone(t, false)
	r.check("swap on the card, then pulled: the lease ends", nil, func(*testing.T) {
		r.must(r.guest.call("Swap", "/swap", nil, 2*outboard))
		r.must(r.guest.call("Reclaim", "system.slice/"+unit, nil, 4*outboard))
		r.measured("swapped %s", r.status(wire.Station, "VmSwap"))
		on := r.exitOnce()
		r.pull()
		r.releasedBy(on, on.At.Add(switchOn), time.Second)
		r.settled(on, 2)
		r.rings(time.Now(), outboard)
	})
	r.struck("no card, no swap, relay on: the station is killed", func() time.Time {
		return r.signalTo(wire.Station, syscall.SIGKILL)
	})
	r.accounted()
}
