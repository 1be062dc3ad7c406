package alsa

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The real kernel: a blocked poll ends with the signal of another goroutine.
func TestPollSignal(t *testing.T) {
	var k linux
	wake, e := k.event()
	if e != 0 {
		t.Fatal(e)
	}
	defer k.close(wake)
	other, e := k.event()
	if e != 0 {
		t.Fatal(e)
	}
	defer k.close(other)
	fds := []unix.PollFd{{Fd: int32(other), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
	if n, e := k.poll(fds, time.Microsecond); n != 0 || e != 0 {
		t.Fatal(n, e)
	}
	done := make(chan int)
	go func() {
		for {
			n, e := k.poll(fds, time.Hour)
			if e == unix.EINTR {
				continue
			}
			done <- n
			return
		}
	}()
	k.signal(wake)
	if n := <-done; n != 1 || fds[0].Revents != 0 || fds[1].Revents&unix.POLLIN == 0 {
		t.Errorf("%d ready, %+v", n, fds)
	}
	k.signal(wake) // a second one does not block
	if n, e := k.poll(fds, 0); n != 1 || e != 0 {
		t.Error(n, e)
	}
}

func TestOpenErrors(t *testing.T) {
	var k linux
	if _, e := k.open(t.TempDir() + "/none"); e != unix.ENOENT {
		t.Error(e)
	}
	fd, e := k.open("/dev/null")
	if e != 0 {
		t.Fatal(e)
	}
	defer k.close(fd)
	s := &stream{k: k, fd: fd}
	if err := s.status(); err != unix.ENOTTY && err != unix.ENOSYS { // ENOSYS: qemu-user's
		t.Errorf("STATUS of /dev/null: %v", err)
	}
	if e := k.link(fd, fd); e != unix.ENOTTY && e != unix.ENOSYS {
		t.Errorf("LINK of /dev/null: %v", e)
	}
}

func TestPollAllocs(t *testing.T) {
	var k kernel = linux{}
	wake, e := k.event()
	if e != 0 {
		t.Fatal(e)
	}
	defer k.close(wake)
	d := &duplex{k: k, wake: wake}
	s := &stream{k: k, fd: wake, events: unix.POLLOUT, channels: 1, format: sampleFormats[0]}
	buf := make([]byte, 320)
	if n := testing.AllocsPerRun(100, func() {
		if err := d.wait(s); err != nil {
			t.Fatal(err)
		}
		if _, e := s.transfer(pcmReadI, buf); e == 0 {
			t.Fatal(e)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRealtime(t *testing.T) {
	type result struct {
		err    error
		attr   *unix.SchedAttr
		getErr error
	}
	done := make(chan result)
	go func() { // ends locked, and its thread with it
		var r result
		r.err = Realtime()
		r.attr, r.getErr = unix.SchedGetAttr(0, 0)
		done <- r
		runtime.Goexit()
	}()
	r := <-done
	if r.getErr != nil {
		t.Skip(r.getErr)
	}
	if r.err != nil {
		if r.attr.Policy != unix.SCHED_NORMAL {
			t.Errorf("policy %d after %v", r.attr.Policy, r.err)
		}
		t.Skip(r.err)
	}
	if r.attr.Policy != unix.SCHED_FIFO ||
		r.attr.Flags&unix.SCHED_FLAG_RESET_ON_FORK == 0 || r.attr.Priority == 0 {
		t.Errorf("%+v", r.attr)
	}
}
