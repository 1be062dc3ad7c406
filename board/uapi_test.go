package board

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// cProgram prints what the C compiler makes of <linux/gpio.h>, and two requests byte by byte.
const cProgram = `
#include <linux/gpio.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#define SIZE(s) printf("sizeof " #s " %zu\n", sizeof(struct s))
#define OFF(s, f) printf("offsetof " #s " " #f " %zu\n", offsetof(struct s, f))
#define NUM(c) printf(#c " %llu\n", (unsigned long long)(c))
static void dump(const char *name, struct gpio_v2_line_request *r) {
	printf("bytes %s ", name);
	for (size_t i = 0; i < sizeof *r; i++) printf("%02x", ((unsigned char *)r)[i]);
	printf("\n");
}
int main(void) {
	SIZE(gpiochip_info); OFF(gpiochip_info, label); OFF(gpiochip_info, lines); NUM(GPIO_GET_CHIPINFO_IOCTL);
	SIZE(gpio_v2_line_request); SIZE(gpio_v2_line_config); SIZE(gpio_v2_line_config_attribute); SIZE(gpio_v2_line_attribute);
	SIZE(gpio_v2_line_values); SIZE(gpio_v2_line_info); SIZE(gpio_v2_line_event);
	OFF(gpio_v2_line_request, consumer); OFF(gpio_v2_line_request, config); OFF(gpio_v2_line_request, num_lines);
	OFF(gpio_v2_line_request, event_buffer_size); OFF(gpio_v2_line_request, padding); OFF(gpio_v2_line_request, fd);
	OFF(gpio_v2_line_config, num_attrs); OFF(gpio_v2_line_config, padding); OFF(gpio_v2_line_config, attrs);
	OFF(gpio_v2_line_attribute, padding); OFF(gpio_v2_line_attribute, values); OFF(gpio_v2_line_config_attribute, mask);
	OFF(gpio_v2_line_values, mask);
	OFF(gpio_v2_line_info, consumer); OFF(gpio_v2_line_info, offset); OFF(gpio_v2_line_info, num_attrs);
	OFF(gpio_v2_line_info, flags); OFF(gpio_v2_line_info, attrs); OFF(gpio_v2_line_info, padding);
	OFF(gpio_v2_line_event, id); OFF(gpio_v2_line_event, offset); OFF(gpio_v2_line_event, seqno);
	OFF(gpio_v2_line_event, line_seqno); OFF(gpio_v2_line_event, padding);
	NUM(GPIO_V2_GET_LINEINFO_IOCTL); NUM(GPIO_V2_GET_LINE_IOCTL); NUM(GPIO_V2_LINE_GET_VALUES_IOCTL); NUM(GPIO_V2_LINE_SET_VALUES_IOCTL);
	NUM(GPIO_V2_LINE_FLAG_USED); NUM(GPIO_V2_LINE_FLAG_ACTIVE_LOW); NUM(GPIO_V2_LINE_FLAG_INPUT); NUM(GPIO_V2_LINE_FLAG_OUTPUT);
	NUM(GPIO_V2_LINE_FLAG_EDGE_RISING); NUM(GPIO_V2_LINE_FLAG_EDGE_FALLING); NUM(GPIO_V2_LINE_FLAG_BIAS_PULL_UP);
	NUM(GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN); NUM(GPIO_V2_LINE_FLAG_BIAS_DISABLED); NUM(GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES);
	NUM(GPIO_V2_LINE_EVENT_RISING_EDGE); NUM(GPIO_V2_LINE_EVENT_FALLING_EDGE);
	NUM(GPIO_MAX_NAME_SIZE); NUM(GPIO_V2_LINES_MAX); NUM(GPIO_V2_LINE_NUM_ATTRS_MAX);

	struct gpio_v2_line_request r;
	memset(&r, 0, sizeof r);
	r.offsets[0] = 5; r.num_lines = 1; strcpy(r.consumer, "portero:door");
	r.config.flags = GPIO_V2_LINE_FLAG_OUTPUT | GPIO_V2_LINE_FLAG_ACTIVE_LOW | GPIO_V2_LINE_FLAG_BIAS_PULL_UP;
	r.config.num_attrs = 1;
	r.config.attrs[0].attr.id = GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES;
	r.config.attrs[0].attr.values = 0; // inactive
	r.config.attrs[0].mask = 1;
	dump("relay", &r);
	r.config.flags = GPIO_V2_LINE_FLAG_OUTPUT | GPIO_V2_LINE_FLAG_BIAS_PULL_DOWN;
	dump("active-high", &r);
	memset(&r, 0, sizeof r);
	r.offsets[0] = 17; r.num_lines = 1; strcpy(r.consumer, "portero:bell");
	r.config.flags = GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_ACTIVE_LOW | GPIO_V2_LINE_FLAG_BIAS_PULL_UP |
		GPIO_V2_LINE_FLAG_EDGE_RISING | GPIO_V2_LINE_FLAG_EDGE_FALLING;
	r.event_buffer_size = 64;
	dump("input", &r);
	return 0;
}`

func TestUAPIAgainstC(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler to hold the structs against")
	}
	dir := t.TempDir()
	source, program := filepath.Join(dir, "gpio.c"), filepath.Join(dir, "gpio")
	if err := os.WriteFile(source, []byte(cProgram), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(cc, "-o", program, source).CombinedOutput(); err != nil {
		if bytes.Contains(out, []byte("linux/gpio.h: No such file")) {
			t.Skip("the C compiler has no <linux/gpio.h>")
		}
		t.Fatalf("compile: %v\n%s", err, out)
	}
	out, err := exec.Command(program).Output()
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSpace(string(out)), "\n")

	var req lineRequest
	var conf lineConfig
	var attr lineAttribute
	var confAttr lineConfigAttribute
	var values lineValues
	var info lineInfo
	var event lineEvent
	var got []string
	size := func(name string, n uintptr) { got = append(got, fmt.Sprintf("sizeof gpio_v2_line_%s %d", name, n)) }
	off := func(name, field string, n uintptr) {
		got = append(got, fmt.Sprintf("offsetof gpio_v2_line_%s %s %d", name, field, n))
	}
	num := func(name string, n uint64) { got = append(got, fmt.Sprintf("GPIO_%s %d", name, n)) }
	dump := func(name string, r lineRequest) {
		b := unsafe.Slice((*byte)(unsafe.Pointer(&r)), unsafe.Sizeof(r))
		got = append(got, "bytes "+name+" "+hex.EncodeToString(b))
	}
	var chip chipInfo
	got = append(got, fmt.Sprintf("sizeof gpiochip_info %d", unsafe.Sizeof(chip)),
		fmt.Sprintf("offsetof gpiochip_info label %d", unsafe.Offsetof(chip.label)),
		fmt.Sprintf("offsetof gpiochip_info lines %d", unsafe.Offsetof(chip.lines)))
	num("GET_CHIPINFO_IOCTL", uint64(ioctlChipInfo))
	size("request", unsafe.Sizeof(req))
	size("config", unsafe.Sizeof(conf))
	size("config_attribute", unsafe.Sizeof(confAttr))
	size("attribute", unsafe.Sizeof(attr))
	size("values", unsafe.Sizeof(values))
	size("info", unsafe.Sizeof(info))
	size("event", unsafe.Sizeof(event))
	off("request", "consumer", unsafe.Offsetof(req.consumer))
	off("request", "config", unsafe.Offsetof(req.config))
	off("request", "num_lines", unsafe.Offsetof(req.numLines))
	off("request", "event_buffer_size", unsafe.Offsetof(req.eventBufferSize))
	off("request", "padding", unsafe.Offsetof(req.padding))
	off("request", "fd", unsafe.Offsetof(req.fd))
	off("config", "num_attrs", unsafe.Offsetof(conf.numAttrs))
	off("config", "padding", unsafe.Offsetof(conf.padding))
	off("config", "attrs", unsafe.Offsetof(conf.attrs))
	off("attribute", "padding", unsafe.Offsetof(attr.padding))
	off("attribute", "values", unsafe.Offsetof(attr.value))
	off("config_attribute", "mask", unsafe.Offsetof(confAttr.mask))
	off("values", "mask", unsafe.Offsetof(values.mask))
	off("info", "consumer", unsafe.Offsetof(info.consumer))
	off("info", "offset", unsafe.Offsetof(info.offset))
	off("info", "num_attrs", unsafe.Offsetof(info.numAttrs))
	off("info", "flags", unsafe.Offsetof(info.flags))
	off("info", "attrs", unsafe.Offsetof(info.attrs))
	off("info", "padding", unsafe.Offsetof(info.padding))
	off("event", "id", unsafe.Offsetof(event.id))
	off("event", "offset", unsafe.Offsetof(event.offset))
	off("event", "seqno", unsafe.Offsetof(event.seqno))
	off("event", "line_seqno", unsafe.Offsetof(event.lineSeqno))
	off("event", "padding", unsafe.Offsetof(event.padding))
	num("V2_GET_LINEINFO_IOCTL", uint64(ioctlLineInfo))
	num("V2_GET_LINE_IOCTL", uint64(ioctlLineRequest))
	num("V2_LINE_GET_VALUES_IOCTL", uint64(ioctlGetValues))
	num("V2_LINE_SET_VALUES_IOCTL", uint64(ioctlSetValues))
	num("V2_LINE_FLAG_USED", flagUsed)
	num("V2_LINE_FLAG_ACTIVE_LOW", flagActiveLow)
	num("V2_LINE_FLAG_INPUT", flagInput)
	num("V2_LINE_FLAG_OUTPUT", flagOutput)
	num("V2_LINE_FLAG_EDGE_RISING", flagEdgeRising)
	num("V2_LINE_FLAG_EDGE_FALLING", flagEdgeFalling)
	num("V2_LINE_FLAG_BIAS_PULL_UP", flagBiasPullUp)
	num("V2_LINE_FLAG_BIAS_PULL_DOWN", flagBiasPullDown)
	num("V2_LINE_FLAG_BIAS_DISABLED", flagBiasDisabled)
	num("V2_LINE_ATTR_ID_OUTPUT_VALUES", uint64(attrOutputValues))
	num("V2_LINE_EVENT_RISING_EDGE", uint64(eventRisingEdge))
	num("V2_LINE_EVENT_FALLING_EDGE", uint64(eventFallingEdge))
	num("MAX_NAME_SIZE", gpioMaxName)
	num("V2_LINES_MAX", gpioMaxLines)
	num("V2_LINE_NUM_ATTRS_MAX", gpioMaxAttrs)
	dump("relay", newLineRequest(request{name: "door", output: true, activeLow: true}, 5))
	dump("active-high", newLineRequest(request{name: "door", output: true}, 5))
	dump("input", newLineRequest(request{name: "bell", activeLow: true, bias: PullUp}, 17))

	if len(got) != len(want) {
		t.Fatalf("%d facts, C has %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %s\n   C %s", got[i], want[i])
		}
	}
}

func TestConsumerIsCutAndTerminated(t *testing.T) {
	req := newLineRequest(request{name: strings.Repeat("x", 80)}, 1)
	if got := cString(req.consumer[:]); got != "portero:"+strings.Repeat("x", 23) {
		t.Errorf("consumer %q", got)
	}
}

func TestBiasFlags(t *testing.T) {
	for bias, want := range map[Bias]uint64{"": 0, PullUp: flagBiasPullUp, PullDown: flagBiasPullDown, NoBias: flagBiasDisabled} {
		got := newLineRequest(request{bias: bias}, 1).config.flags & (flagBiasPullUp | flagBiasPullDown | flagBiasDisabled)
		info := lineInfo{flags: want | flagUsed | flagOutput | flagActiveLow}
		if l := info.line(); got != want || l.Bias != bias || !l.Used || !l.Output || !l.ActiveLow {
			t.Errorf("bias %q: flags %#x, read back as %+v", bias, got, l)
		}
	}
}

// TestOutputsDoWithoutBias: a chip without pulls still gets its relays, and nothing else is asked for twice.
func TestOutputsDoWithoutBias(t *testing.T) {
	for _, c := range []struct {
		name     string
		request  request
		answers  []error
		unbiased bool
		err      error
	}{
		{"a chip with pulls", request{output: true}, []error{nil}, false, nil},
		{"EINVAL", request{output: true}, []error{unix.EINVAL, nil}, true, nil},
		{"ENOTSUPP", request{output: true, activeLow: true}, []error{unix.Errno(524), nil}, true, nil},
		{"EINVAL for another reason", request{output: true}, []error{unix.EINVAL, unix.EINVAL}, false,
			unix.EINVAL},
		{"busy", request{output: true}, []error{unix.EBUSY}, false, unix.EBUSY},
		{"an input", request{bias: PullUp}, []error{unix.EINVAL}, false, unix.EINVAL},
	} {
		req, n := newLineRequest(c.request, 5), 0
		want := req.config.flags
		unbiased, err := biasIfPossible(&req, func() error {
			if n == 1 {
				want &^= flagBiasPullUp | flagBiasPullDown
			}
			if req.config.flags != want || n < 1 && want&(flagBiasPullUp|flagBiasPullDown) == 0 {
				t.Errorf("%s: attempt %d with flags %#x", c.name, n, req.config.flags)
			}
			n++
			return c.answers[n-1]
		})
		if unbiased != c.unbiased || err != c.err || n != len(c.answers) {
			t.Errorf("%s: unbiased %v, %v after %d attempts", c.name, unbiased, err, n)
		}
	}
}

func TestMissingBiasIsToldOnce(t *testing.T) {
	var log strings.Builder
	c := chardev{config: Config{Log: slog.New(slog.NewTextHandler(&log, nil))}}
	chips := pi4()
	for _, name := range []string{"door:front", "door:gate"} {
		c.tellUnbiased(request{kind: "relay", name: name}, found{&chips[2], &chips[2].Lines[1]})
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "level=WARN") ||
		!strings.Contains(got, "output=door:front") {
		t.Errorf("%q", got)
	}
}
