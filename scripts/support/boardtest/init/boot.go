package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	card      = "/dev/vda"
	newRoot   = "/card"
	home      = "/run/boardtest" // in a tmpfs
	units     = "/run/systemd/system"
	agentUnit = `[Unit]
Description=The board test's agent
DefaultDependencies=no
[Service]
ExecStart=` + home + `/agent agent
StandardOutput=file:/dev/console
StandardError=file:/dev/console
WorkingDirectory=` + home + `
OOMScoreAdjust=-1000
LimitMEMLOCK=infinity
`
	// The station's log reaches the host without the card and without the journal.
	logUnit = `[Service]
StandardOutput=append:` + stationLog + `
StandardError=append:` + stationLog + `
# Runs where everything that the unit has to run before it has ended well.
ExecStopPost=/bin/sh -c 'echo "` + stopPost + `${SERVICE_RESULT} ${EXIT_CODE} ${EXIT_STATUS}"'
`
)

// boot is the initramfs: it returns only with an error.
func boot() error {
	if err := mounts(); err != nil {
		return err
	}
	if raw, err := os.ReadFile("/proc/cmdline"); err != nil || !bytes.Contains(raw, []byte("boardtest")) {
		return errors.New("boot: not the board test's kernel command line")
	}
	if err := errors.Join(modules(), network(), mountCard(), installAgent()); err != nil {
		return err
	}
	return switchRoot()
}

func mounts() error {
	var errs []error
	for _, m := range [][3]string{
		{"proc", "/proc", ""}, {"sysfs", "/sys", ""}, {"devtmpfs", "/dev", ""},
		{"tmpfs", "/run", "mode=0755"},
	} {
		err := os.MkdirAll(m[1], 0o755)
		if err == nil {
			err = unix.Mount(m[0], m[1], m[0], 0, m[2])
		}
		if err != nil && !errors.Is(err, unix.EBUSY) {
			errs = append(errs, fmt.Errorf("boot: mount %q: %w", m[1], err))
		}
	}
	return errors.Join(errs...)
}

// modules loads what /modules lists in order: "file parameters".
func modules() error {
	list, err := os.Open("/modules")
	if err != nil {
		return err
	}
	defer list.Close()
	for scan := bufio.NewScanner(list); scan.Scan(); {
		path, parameters, _ := strings.Cut(scan.Text(), " ")
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		err = unix.FinitModule(int(f.Fd()), parameters, 0)
		f.Close()
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("boot: load %q: %w", path, err)
		}
	}
	return nil
}

// mountCard mounts the card as a board does: for reading and writing, and going on after errors.
func mountCard() error {
	if _, err := waitFor(card); err != nil {
		return err
	}
	if err := os.MkdirAll(newRoot, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(card, newRoot, "ext4", unix.MS_NOATIME, "errors=continue"); err != nil {
		return fmt.Errorf("boot: mount %q: %w", card, err)
	}
	return nil
}

// waitFor opens a device as soon as its node is there.
func waitFor(path string) (*os.File, error) {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err == nil || time.Now().After(deadline) {
			return f, err
		}
	}
}

// installAgent puts this program and its unit where the card's loss does not reach them.
func installAgent() error {
	wants := filepath.Join(units, "sysinit.target.wants")
	dropIn := filepath.Join(units, "portero.service.d")
	for _, dir := range []string{home, wants, dropIn} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	program, err := os.Open("/init")
	if err != nil {
		return err
	}
	defer program.Close()
	agent, err := os.OpenFile(home+"/agent", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err == nil {
		_, err = io.Copy(agent, program)
		err = errors.Join(err, agent.Close())
	}
	unit := filepath.Join(units, "boardtest.service")
	return errors.Join(err,
		os.WriteFile(unit, []byte(agentUnit), 0o644),
		os.Symlink(unit, filepath.Join(wants, "boardtest.service")),
		os.WriteFile(filepath.Join(dropIn, "log.conf"), []byte(logUnit), 0o644),
		os.WriteFile(stationLog, nil, 0o644))
}

// switchRoot gives the initramfs's memory back, makes the card the root and becomes its systemd.
func switchRoot() error {
	for _, dir := range []string{"/proc", "/sys", "/dev", "/run"} {
		if err := unix.Mount(dir, newRoot+dir, "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("boot: move %q: %w", dir, err)
		}
	}
	if err := os.RemoveAll("/lib"); err != nil {
		return err
	}
	if err := os.Remove("/init"); err != nil {
		return err
	}
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("boot: make %q the root: %w", newRoot, err)
	}
	if err := errors.Join(unix.Chroot("."), os.Chdir("/")); err != nil {
		return err
	}
	environment := []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=dumb"}
	return unix.Exec("/lib/systemd/systemd", []string{"/sbin/init"}, environment)
}
