package alsa

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

// layout lists what Go has of testdata/layout.c, in its words.
func layout() map[string]string {
	var (
		hw hwParams
		sw swParams
		st pcmStatus
		xf xferi
		pi pcmInfo
		ci cardInfo
		id elemID
		el elemList
		ei elemInfo
		ev elemValue
	)
	m := map[string]string{}
	number := func(kind string, v map[string]uintptr) {
		for name, n := range v {
			if kind == "ioctl" {
				m[kind+" "+name] = fmt.Sprintf("%#x", n)
			} else {
				m[kind+" "+name] = fmt.Sprint(n)
			}
		}
	}
	number("size", map[string]uintptr{
		"snd_interval": unsafe.Sizeof(interval{}), "snd_mask": unsafe.Sizeof(mask{}),
		"snd_pcm_hw_params": unsafe.Sizeof(hw), "snd_pcm_sw_params": unsafe.Sizeof(sw),
		"snd_pcm_status": unsafe.Sizeof(st),
		"snd_xferi":      unsafe.Sizeof(xf), "snd_pcm_info": unsafe.Sizeof(pi),
		"snd_ctl_card_info": unsafe.Sizeof(ci),
		"snd_ctl_elem_id":   unsafe.Sizeof(id), "snd_ctl_elem_list": unsafe.Sizeof(el),
		"snd_ctl_elem_info":  unsafe.Sizeof(ei),
		"snd_ctl_elem_value": unsafe.Sizeof(ev),
	})
	number("offset", map[string]uintptr{
		"snd_pcm_hw_params.masks":             unsafe.Offsetof(hw.masks),
		"snd_pcm_hw_params.intervals":         unsafe.Offsetof(hw.intervals),
		"snd_pcm_hw_params.rmask":             unsafe.Offsetof(hw.rmask),
		"snd_pcm_hw_params.cmask":             unsafe.Offsetof(hw.cmask),
		"snd_pcm_hw_params.info":              unsafe.Offsetof(hw.info),
		"snd_pcm_hw_params.msbits":            unsafe.Offsetof(hw.msbits),
		"snd_pcm_hw_params.rate_num":          unsafe.Offsetof(hw.rateNum),
		"snd_pcm_hw_params.rate_den":          unsafe.Offsetof(hw.rateDen),
		"snd_pcm_hw_params.fifo_size":         unsafe.Offsetof(hw.fifoSize),
		"snd_pcm_sw_params.tstamp_mode":       unsafe.Offsetof(sw.tstampMode),
		"snd_pcm_sw_params.period_step":       unsafe.Offsetof(sw.periodStep),
		"snd_pcm_sw_params.avail_min":         unsafe.Offsetof(sw.availMin),
		"snd_pcm_sw_params.xfer_align":        unsafe.Offsetof(sw.xferAlign),
		"snd_pcm_sw_params.start_threshold":   unsafe.Offsetof(sw.startThreshold),
		"snd_pcm_sw_params.stop_threshold":    unsafe.Offsetof(sw.stopThreshold),
		"snd_pcm_sw_params.silence_threshold": unsafe.Offsetof(sw.silenceThreshold),
		"snd_pcm_sw_params.silence_size":      unsafe.Offsetof(sw.silenceSize),
		"snd_pcm_sw_params.boundary":          unsafe.Offsetof(sw.boundary),
		"snd_pcm_sw_params.proto":             unsafe.Offsetof(sw.proto),
		"snd_pcm_sw_params.tstamp_type":       unsafe.Offsetof(sw.tstampType),
		"snd_pcm_status.state":                unsafe.Offsetof(st.state),
		"snd_pcm_status.trigger_tstamp":       unsafe.Offsetof(st.trigger),
		"snd_pcm_status.tstamp":               unsafe.Offsetof(st.tstamp),
		"snd_pcm_status.appl_ptr":             unsafe.Offsetof(st.applPtr),
		"snd_pcm_status.hw_ptr":               unsafe.Offsetof(st.hwPtr),
		"snd_pcm_status.delay":                unsafe.Offsetof(st.delay),
		"snd_pcm_status.avail":                unsafe.Offsetof(st.avail),
		"snd_xferi.result":                    unsafe.Offsetof(xf.result),
		"snd_xferi.buf":                       unsafe.Offsetof(xf.buf),
		"snd_xferi.frames":                    unsafe.Offsetof(xf.frames),
		"snd_pcm_info.device":                 unsafe.Offsetof(pi.device),
		"snd_pcm_info.stream":                 unsafe.Offsetof(pi.stream),
		"snd_pcm_info.card":                   unsafe.Offsetof(pi.card),
		"snd_pcm_info.id":                     unsafe.Offsetof(pi.id),
		"snd_pcm_info.name":                   unsafe.Offsetof(pi.name),
		"snd_ctl_card_info.id":                unsafe.Offsetof(ci.id),
		"snd_ctl_card_info.driver":            unsafe.Offsetof(ci.driver),
		"snd_ctl_card_info.name":              unsafe.Offsetof(ci.name),
		"snd_ctl_card_info.longname":          unsafe.Offsetof(ci.longname),
		"snd_ctl_elem_id.numid":               unsafe.Offsetof(id.numid),
		"snd_ctl_elem_id.iface":               unsafe.Offsetof(id.iface),
		"snd_ctl_elem_id.name":                unsafe.Offsetof(id.name),
		"snd_ctl_elem_id.index":               unsafe.Offsetof(id.index),
		"snd_ctl_elem_list.offset":            unsafe.Offsetof(el.offset),
		"snd_ctl_elem_list.space":             unsafe.Offsetof(el.space),
		"snd_ctl_elem_list.used":              unsafe.Offsetof(el.used),
		"snd_ctl_elem_list.count":             unsafe.Offsetof(el.count),
		"snd_ctl_elem_list.pids":              unsafe.Offsetof(el.pids),
		"snd_ctl_elem_info.type":              unsafe.Offsetof(ei.typ),
		"snd_ctl_elem_info.access":            unsafe.Offsetof(ei.access),
		"snd_ctl_elem_info.count":             unsafe.Offsetof(ei.count),
		"snd_ctl_elem_info.value.integer.min": unsafe.Offsetof(ei.min),
		"snd_ctl_elem_info.value.integer.max": unsafe.Offsetof(ei.max),

		"snd_ctl_elem_value.value.integer.value": unsafe.Offsetof(ev.value),
	})
	number("ioctl", map[string]uintptr{
		"SNDRV_PCM_IOCTL_HW_REFINE": pcmHWRefine, "SNDRV_PCM_IOCTL_HW_PARAMS": pcmHWParams,
		"SNDRV_PCM_IOCTL_SW_PARAMS": pcmSWParams, "SNDRV_PCM_IOCTL_STATUS": pcmGetState,
		"SNDRV_PCM_IOCTL_PREPARE": pcmPrepare, "SNDRV_PCM_IOCTL_START": pcmStart,
		"SNDRV_PCM_IOCTL_DROP":          pcmDrop,
		"SNDRV_PCM_IOCTL_WRITEI_FRAMES": pcmWriteI, "SNDRV_PCM_IOCTL_READI_FRAMES": pcmReadI,
		"SNDRV_PCM_IOCTL_LINK": pcmLink, "SNDRV_CTL_IOCTL_CARD_INFO": ctlCardInfo,
		"SNDRV_CTL_IOCTL_ELEM_LIST": ctlElemList, "SNDRV_CTL_IOCTL_ELEM_INFO": ctlElemInfo,
		"SNDRV_CTL_IOCTL_ELEM_READ": ctlElemRead, "SNDRV_CTL_IOCTL_ELEM_WRITE": ctlElemWrite,
		"SNDRV_CTL_IOCTL_PCM_NEXT_DEVICE": ctlPCMNextDevice, "SNDRV_CTL_IOCTL_PCM_INFO": ctlPCMInfo,
	})
	number("const", map[string]uintptr{
		"SNDRV_PCM_HW_PARAM_ACCESS": paramAccess, "SNDRV_PCM_HW_PARAM_FORMAT": paramFormat,
		"SNDRV_PCM_HW_PARAM_FIRST_INTERVAL": firstInterval, "SNDRV_PCM_HW_PARAM_CHANNELS": paramChannels,
		"SNDRV_PCM_HW_PARAM_RATE": paramRate, "SNDRV_PCM_HW_PARAM_PERIOD_SIZE": paramPeriodSize,
		"SNDRV_PCM_HW_PARAM_BUFFER_SIZE":  paramBufferSize,
		"SNDRV_PCM_ACCESS_RW_INTERLEAVED": accessRWInterleaved,
		"SNDRV_PCM_STATE_RUNNING":         stateRunning, "SNDRV_PCM_STATE_XRUN": stateXrun,
		"SNDRV_PCM_TSTAMP_ENABLE": tstampEnable, "SNDRV_PCM_TSTAMP_TYPE_MONOTONIC": tstampMonotonic,
		"SNDRV_CTL_ELEM_IFACE_MIXER": ifaceMixer, "SNDRV_CTL_ELEM_TYPE_BOOLEAN": elemBoolean,
		"SNDRV_CTL_ELEM_TYPE_INTEGER": elemInteger, "SNDRV_CTL_ELEM_ACCESS_READ": elemAccessRead,
		"SNDRV_CTL_ELEM_ACCESS_WRITE": elemAccessWrite, "SNDRV_CTL_ELEM_ACCESS_INACTIVE": elemAccessInactive,
	})
	for _, f := range sampleFormats {
		m["const SNDRV_PCM_FORMAT_"+f.name] = fmt.Sprint(f.code)
	}
	return m
}

// The files were printed by testdata/layout.c, compiled for each architecture; see TestLayoutOfHeader.
func TestLayout(t *testing.T) {
	golden, err := os.ReadFile("testdata/layout." + runtime.GOARCH)
	if err != nil {
		t.Fatal(err)
	}
	ours := layout()
	ours["arch "+runtime.GOARCH] = ""
	for line := range strings.Lines(string(golden)) {
		line = strings.TrimSpace(line)
		kind, rest, _ := strings.Cut(line, " ")
		name, value, _ := strings.Cut(rest, " ")
		got, ok := ours[kind+" "+name]
		if !ok {
			t.Errorf("C has %s %s, Go does not", kind, name)
		} else if got != value {
			t.Errorf("%s %s: C has %s, Go %s", kind, name, value, got)
		}
		delete(ours, kind+" "+name)
	}
	for name := range ours {
		t.Errorf("Go has %s, C was not asked", name)
	}
}

// Every compiler that is installed compiles against its own headers, and its program, where it runs here,
// must print what testdata holds.
func TestLayoutOfHeader(t *testing.T) {
	for _, c := range [][2]string{{"gcc"}, {"aarch64-linux-gnu-gcc", "qemu-aarch64-static"},
		{"arm-linux-gnueabihf-gcc", "qemu-arm-static"}} {
		t.Run(c[0], func(t *testing.T) {
			gcc, err := exec.LookPath(c[0])
			if err != nil {
				t.Skip(err)
			}
			if c[0] == "gcc" {
				if _, err := os.Stat("/usr/include/sound/asound.h"); err != nil {
					t.Skip(err)
				}
			}
			program := filepath.Join(t.TempDir(), "layout")
			if out, err := exec.Command(gcc, "-static", "-o", program,
				"testdata/layout.c").CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			run := exec.Command(program)
			if c[1] != "" {
				emulator, err := exec.LookPath(c[1])
				if err != nil {
					t.Skip(err)
				}
				run = exec.Command(emulator, program)
			}
			out, err := run.Output()
			if err != nil {
				t.Fatal(err)
			}
			arch, _, _ := bytes.Cut(bytes.TrimPrefix(out, []byte("arch ")), []byte("\n"))
			golden, err := os.ReadFile("testdata/layout." + string(arch))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(out, golden) {
				t.Errorf("testdata/layout.%s is not what the header says:\n%s", arch, out)
			}
		})
	}
}
