//go:build boardtest

package boardtest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Registers of the PL061 of -M virt (ARM DDI 0190B): GPIODIR, and GPIODATA whose address bits 9..2 are the mask of lines.
const (
	pl061     = 0x9030000
	direction = pl061 + 0x400
)

// Edge is a change of an output line.
type Edge struct {
	At   time.Time
	Line int
	High bool
}

// Pins is the GPIO chip seen from the wires, over QEMU's qtest protocol.
type Pins struct {
	conn net.Conn
	path string // of the chip in QEMU's object tree

	asking  sync.Mutex // one command at a time
	answers chan string

	mu    sync.Mutex
	edges []Edge
	grown chan struct{} // closed and replaced when edges grow
}

// newPins speaks qtest over conn and watches the outputs of the chip at path.
func newPins(conn net.Conn, path string) (*Pins, error) {
	p := &Pins{conn: conn, path: path, answers: make(chan string, 1), grown: make(chan struct{})}
	go p.listen()
	return p, p.ask("irq_intercept_out %s", path)
}

func (p *Pins) listen() {
	defer close(p.answers)
	for scan := bufio.NewScanner(p.conn); scan.Scan(); {
		now := time.Now()
		e := Edge{At: now}
		var way string
		if n, _ := fmt.Sscanf(scan.Text(), "IRQ %s %d", &way, &e.Line); n != 2 {
			p.answers <- scan.Text()
			continue
		}
		e.High = way == "raise"
		p.mu.Lock()
		p.edges = append(p.edges, e)
		close(p.grown)
		p.grown = make(chan struct{})
		p.mu.Unlock()
	}
}

func (p *Pins) ask(format string, args ...any) error {
	p.asking.Lock()
	defer p.asking.Unlock()
	command := fmt.Sprintf(format, args...)
	if _, err := fmt.Fprintln(p.conn, command); err != nil {
		return fmt.Errorf("boardtest: qtest %s: %w", command, err)
	}
	if answer := <-p.answers; !strings.HasPrefix(answer, "OK") {
		return fmt.Errorf("boardtest: qtest %s: %q", command, answer)
	}
	return nil
}

// Set drives an input line.
func (p *Pins) Set(line int, high bool) error {
	level := 0
	if high {
		level = 1
	}
	return p.ask("set_irq_in %s unnamed-gpio-in %d %d", p.path, line, level)
}

// DriveHigh makes lines outputs that are high, behind the kernel's back.
func (p *Pins) DriveHigh(lines ...int) error {
	mask := 0
	for _, l := range lines {
		mask |= 1 << l
	}
	if err := p.ask("writel %#x %#x", direction, mask); err != nil {
		return err
	}
	return p.ask("writel %#x %#x", pl061+mask<<2, mask)
}

// Edges returns those of a line (-1: of all) since then.
func (p *Pins) Edges(line int, since time.Time) []Edge {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.edges), func(e Edge) bool { return line >= 0 && e.Line != line || e.At.Before(since) })
}

// Await returns the first edge of a line to that level since then.
func (p *Pins) Await(line int, high bool, since time.Time, atMost time.Duration) (Edge, error) {
	deadline := time.After(atMost)
	for {
		p.mu.Lock()
		grown := p.grown
		p.mu.Unlock()
		for _, e := range p.Edges(line, since) {
			if e.High == high {
				return e, nil
			}
		}
		select {
		case <-grown:
		case <-deadline:
			return Edge{}, fmt.Errorf("boardtest: line %d did not go to %v within %v: %v", line, high, atMost, p.Edges(-1, since))
		}
	}
}

func (e Edge) String() string {
	way := "low"
	if e.High {
		way = "high"
	}
	return fmt.Sprintf("%s line %d %s", e.At.Format("15:04:05.000"), e.Line, way)
}

// monitor is QEMU's QMP.
type monitor struct {
	mu   sync.Mutex
	conn net.Conn
	read *json.Decoder
}

type answer struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Desc string `json:"desc"`
	} `json:"error"`
}

func newMonitor(conn net.Conn) (*monitor, error) {
	m := &monitor{conn: conn, read: json.NewDecoder(conn)}
	var greeting json.RawMessage
	if err := m.read.Decode(&greeting); err != nil {
		return nil, fmt.Errorf("boardtest: QMP greeting: %w", err)
	}
	return m, m.do("qmp_capabilities", nil, nil)
}

// do runs a command and takes its result.
func (m *monitor) do(command string, arguments, result any) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	request := map[string]any{"execute": command}
	if arguments != nil {
		request["arguments"] = arguments
	}
	if err := json.NewEncoder(m.conn).Encode(request); err != nil {
		return fmt.Errorf("boardtest: QMP %s: %w", command, err)
	}
	for {
		var a answer
		if err := m.read.Decode(&a); err != nil {
			return fmt.Errorf("boardtest: QMP %s: %w", command, err)
		}
		switch {
		case a.Error != nil:
			return fmt.Errorf("boardtest: QMP %s: %s", command, a.Error.Desc)
		case a.Return != nil && result != nil:
			return json.Unmarshal(a.Return, result)
		case a.Return != nil:
			return nil
		} // else an event
	}
}

// find returns the path of the first object of that type.
func (m *monitor) find(kind string) (string, error) {
	const at = "/machine/unattached"
	var children []struct{ Name, Type string }
	if err := m.do("qom-list", map[string]string{"path": at}, &children); err != nil {
		return "", err
	}
	for _, c := range children {
		if c.Type == "child<"+kind+">" {
			return at + "/" + c.Name, nil
		}
	}
	return "", fmt.Errorf("boardtest: QEMU's machine has no %s", kind)
}
