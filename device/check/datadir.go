package check

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"portero/device/config"
)

// service is the user that the package runs the station as.
const service = "portero"

const keptThere = "the audit of openings, a lock-out, a tamper block and the last good copy of the file would not outlive a restart"

// DataDir finds out whether the station can write where it keeps what must outlive a restart. It rings all
// the same, so nothing of this is a fault.
func (c *Checker) DataDir() config.Faults {
	dir := c.cfg.Station.DataDir
	warn := func(problem, remedy string) config.Faults {
		return config.Faults{c.fault(config.Warning, "station.data_dir", dir, problem+": "+keptThere, remedy)}
	}
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return warn("not there", fmt.Sprintf("sudo install -d -o %s -g %[1]s -m 700 %s", service, dir))
	}
	if err == nil && !info.IsDir() {
		return warn("not a directory", "name another one")
	}
	if err == nil {
		err = tryWrite(dir)
	}
	owner := ownerOf(info)
	switch uid := os.Geteuid(); {
	case err != nil && owner >= 0 && owner != uid:
		return warn(fmt.Sprintf("belongs to %s, and this user cannot write there", userOf(owner)),
			fmt.Sprintf("run `sudo -u %s portero check`; the station's user: sudo chown -R %s %s", userOf(owner), service, dir))
	case err != nil:
		return warn(err.Error(), "make it writable for the station's user")
	case uid == 0: // who may write everywhere; the service may not
		u, err := user.Lookup(service)
		if err != nil {
			return nil
		}
		stat := info.Sys().(*syscall.Stat_t)
		if !couldWrite(info.Mode(), u.Uid == fmt.Sprint(stat.Uid), u.Gid == fmt.Sprint(stat.Gid)) {
			return warn(fmt.Sprintf("belongs to %s, and the service runs as %s", userOf(owner), service),
				fmt.Sprintf("sudo chown -R %s:%[1]s %s", service, dir))
		}
	}
	return nil
}

// tryWrite writes a file in dir, and removes it.
func tryWrite(dir string) error {
	f, err := os.CreateTemp(dir, ".portero-check-*")
	if err != nil {
		return err
	}
	_, err = f.WriteString("a file of `portero check`\n")
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// couldWrite reports whether a user may make files in a directory that is its own, its group's or neither.
func couldWrite(mode fs.FileMode, own, group bool) bool {
	switch {
	case own:
		return mode&0o300 == 0o300
	case group:
		return mode&0o030 == 0o030
	}
	return mode&0o003 == 0o003
}

// ownerOf is the owner of a file, -1 where that is not known.
func ownerOf(info fs.FileInfo) int {
	if info == nil {
		return -1
	}
	return int(info.Sys().(*syscall.Stat_t).Uid)
}

func userOf(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return "#" + strconv.Itoa(uid)
}

// serviceUID is the user that the station runs as: the one who asks, or for root the one whose data it is.
func serviceUID(dataDir string) int {
	if uid := os.Geteuid(); uid != 0 {
		return uid
	}
	info, _ := os.Stat(dataDir)
	return max(ownerOf(info), 0)
}

// holders are the users of the programs that have a UDP port; addr is host:port.
func holders(addr string) (uids []int) {
	_, port, _ := net.SplitHostPort(addr)
	n, _ := strconv.Atoi(port)
	for _, path := range []string{"/proc/self/net/udp", "/proc/self/net/udp6"} {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		uids = append(uids, holdersIn(bufio.NewScanner(f), n)...)
		f.Close()
	}
	return uids
}

// holdersIn reads a table of sockets (proc_net_udp): the second field ends with the port, the eighth is the
// user.
func holdersIn(lines *bufio.Scanner, port int) (uids []int) {
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 8 || !strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port)) {
			continue
		}
		if uid, err := strconv.Atoi(fields[7]); err == nil {
			uids = append(uids, uid)
		}
	}
	return uids
}

// ours reports whether nobody but the station's user holds a port.
func ours(holders []int, uid int) bool {
	return len(holders) > 0 && !slices.ContainsFunc(holders, func(h int) bool { return h != uid })
}
