//go:build boardtest

package boardtest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"portero/scripts/support/boardtest/wire"
	"portero/scripts/support/interop"
)

// The guest's ports that the rig's host address forwards to it.
const (
	sipPort    = 5062
	rtpFirst   = 40000
	rtpLast    = 40019
	outboard   = 15 * time.Second // for what happens within seconds on a board and is emulated here
	bootWithin = 90 * time.Second
)

// Guest is the emulated board.
type Guest struct {
	*interop.Process
	Pins  *Pins
	Wired time.Time // just before the kernel started; since then every edge is the station's
	qmp   *monitor
	rpc   *rpc.Client

	mu    sync.Mutex
	log   []entry
	grown chan struct{}
}

// entry is a line of the guest's log. Fields holds a line of JSON taken apart.
type entry struct {
	At time.Time
	wire.Line
	Fields map[string]any
}

// plan is how a board is booted.
type plan struct {
	dir     string       // what scripts/boardtest has made: vmlinuz, initramfs, card
	host    string       // what arrives at its ports is forwarded; "": nothing is
	text    string       // the station's file
	driven  []int        // lines that are high outputs before the kernel runs, as a boot loader leaves them
	inputs  map[int]bool // levels of inputs
	reboots bool         // a reset boots once more; else it ends QEMU
}

// boot starts QEMU.
func boot(t *testing.T, p plan) *Guest {
	t.Helper()
	work := t.TempDir()
	card := filepath.Join(work, "card")
	if err := makeCard(filepath.Join(p.dir, "card"), card, p.text); err != nil {
		t.Fatal(err)
	}
	sockets := map[string]net.Listener{}
	for _, name := range []string{"qtest", "qmp", "ctl", "log"} {
		l, err := net.Listen("unix", filepath.Join(work, name))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		sockets[name] = l
	}
	accept := func(name string) net.Conn {
		t.Helper()
		l := sockets[name].(*net.UnixListener)
		_ = l.SetDeadline(time.Now().Add(outboard))
		c, err := l.Accept()
		if err != nil {
			t.Fatalf("boardtest: QEMU does not connect to %s: %v", name, err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	socket := func(name string) string { return filepath.Join(work, name) }
	network := []string{"user", "id=n"}
	if p.host != "" {
		ports := []int{sipPort}
		for port := rtpFirst; port <= rtpLast; port++ {
			ports = append(ports, port)
		}
		for _, port := range ports {
			network = append(network, fmt.Sprintf("hostfwd=udp:%s:%d-10.0.2.15:%d", p.host, port, port))
		}
	}
	ending := "shutdown"
	if p.reboots {
		ending = "reset"
	}
	g := &Guest{grown: make(chan struct{})}
	g.Process = interop.Start(t, "qemu", work, nil, "qemu-system-aarch64",
		"-M", "virt", "-accel", "tcg,thread=multi", "-cpu", "cortex-a53", "-smp", "2", "-m", "256",
		"-display", "none", "-monitor", "none", "-serial", "stdio", "-action", "reboot="+ending, "-S",
		"-kernel", filepath.Join(p.dir, "vmlinuz"), "-initrd", filepath.Join(p.dir, "initramfs"),
		// systemd tells the kernel's log, which the agent reads: that needs neither journald nor card.
		"-append", "console=ttyAMA0 quiet printk.devkmsg=on systemd.log_target=kmsg "+
			"systemd.show_status=0 boardtest",
		"-drive", "if=none,id=card,format=raw,cache=unsafe,file="+card,
		"-device", "virtio-blk-device,drive=card",
		"-qtest", "unix:"+socket("qtest"), "-qtest-log", "none", "-qmp", "unix:"+socket("qmp"),
		"-netdev", strings.Join(network, ","), "-device", "virtio-net-device,netdev=n",
		"-device", "virtio-serial-device",
		"-chardev", "socket,id=ctl,path="+socket("ctl"), "-device", "virtserialport,chardev=ctl,nr=1",
		"-chardev", "socket,id=log,path="+socket("log"), "-device", "virtserialport,chardev=log,nr=2")
	// QEMU connects its chardevs in the order it likes, but none of them waits for an answer.
	qtest, control, lines := accept("qtest"), accept("ctl"), accept("log")
	var err error
	if g.qmp, err = newMonitor(accept("qmp")); err != nil {
		t.Fatal(err)
	}
	path, err := g.qmp.find("pl061")
	if err == nil {
		g.Pins, err = newPins(qtest, path)
	}
	if err == nil {
		err = g.Pins.DriveHigh(p.driven...)
	}
	for line, high := range p.inputs {
		if err == nil {
			err = g.Pins.Set(line, high)
		}
	}
	g.Wired = time.Now()
	if err == nil {
		err = g.qmp.do("cont", nil, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	g.rpc = rpc.NewClient(control)
	go g.listen(lines)
	return g
}

// makeCard copies the card and writes the station's file onto it, as the package's postinst leaves it.
func makeCard(from, to, text string) error {
	file := to + ".toml"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return fmt.Errorf("boardtest: card: %w", err)
	}
	if out, err := exec.Command("cp", "--sparse=always", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("boardtest: copy card: %w: %s", err, out)
	}
	edit := exec.Command("debugfs", "-w", "-f", "-", to)
	edit.Stdin = strings.NewReader(fmt.Sprintf("rm %[1]s\nwrite %[2]s %[1]s\nsif %[1]s mode 0100640\n"+
		"sif %[1]s uid 0\nsif %[1]s gid %[3]d\nsif %[4]s gid %[3]d\n",
		stationFile, file, stationGroup, filepath.Dir(stationFile)))
	if out, err := edit.CombinedOutput(); err != nil {
		return fmt.Errorf("boardtest: edit card: %w: %s", err, out)
	}
	return nil
}

func (g *Guest) listen(r net.Conn) {
	for b := bufio.NewReader(r); ; {
		raw, err := b.ReadBytes('\n')
		if err != nil {
			return
		}
		e := entry{At: time.Now()}
		if json.Unmarshal(raw, &e.Line) != nil {
			continue
		}
		if strings.HasPrefix(e.Text, "{") {
			_ = json.Unmarshal([]byte(e.Text), &e.Fields) // else it is text
		}
		g.mu.Lock()
		g.log = append(g.log, e)
		close(g.grown)
		g.grown = make(chan struct{})
		g.mu.Unlock()
	}
}

// call asks the agent for something.
func (g *Guest) call(method string, args, reply any, atMost time.Duration) error {
	if reply == nil {
		reply = new(bool)
	}
	select {
	case c := <-g.rpc.Go("Guest."+method, args, reply, make(chan *rpc.Call, 1)).Done:
		if c.Error != nil {
			return fmt.Errorf("boardtest: guest %s: %w", method, c.Error)
		}
		return nil
	case <-time.After(atMost):
		return fmt.Errorf("boardtest: guest %s: no answer within %v", method, atMost)
	}
}

// is reports whether e is that event of the station with "key=value" fields, or, as "systemd.died" or
// "agent.booted", one of theirs, or, as "guard: station hangs", what the guard says.
func (e entry) is(kind string, fields ...string) bool {
	if said, ok := strings.CutPrefix(kind, "guard: "); ok {
		return e.Fields["part"] == "guard" && e.Fields["msg"] == said
	}
	if e.Event != "" {
		return kind == e.From+"."+e.Event
	}
	if e.Fields["msg"] != "event" || e.Fields["kind"] != kind {
		return false
	}
	for _, f := range fields {
		k, v, _ := strings.Cut(f, "=")
		if got, ok := e.Fields[k]; !ok || fmt.Sprint(got) != v {
			return false
		}
	}
	return true
}

// Find returns the events of that kind since then.
func (g *Guest) Find(since time.Time, kind string, fields ...string) []entry {
	g.mu.Lock()
	defer g.mu.Unlock()
	var found []entry
	for _, e := range g.log {
		if !e.At.Before(since) && e.is(kind, fields...) {
			found = append(found, e)
		}
	}
	return found
}

// Await returns the first event of that kind since then; "systemd.died" and the like are not the station's.
func (g *Guest) Await(since time.Time, atMost time.Duration, kind string, fields ...string) (entry, error) {
	deadline := time.After(atMost)
	for {
		g.mu.Lock()
		grown := g.grown
		g.mu.Unlock()
		if found := g.Find(since, kind, fields...); len(found) > 0 {
			return found[0], nil
		}
		select {
		case <-grown:
		case <-deadline:
			return entry{}, fmt.Errorf("boardtest: no %s %v within %v", kind, fields, atMost)
		}
	}
}

// Lines returns the log since then, dated, for people.
func (g *Guest) Lines(since time.Time) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var out []string
	for _, e := range g.log {
		if !e.At.Before(since) {
			out = append(out, fmt.Sprintf("%s up %.3f %s %s %s", e.At.Format("15:04:05.000"), e.Up, e.From, e.Event, e.Text))
		}
	}
	return out
}
