package durable

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// keeping runs a keeper; end ends it as the station's end does.
func keeping(t *testing.T, k *Keeper) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- k.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// diary is a source that notes when it was asked.
type diary struct {
	began time.Time
	asked []string
	until time.Time
}

func (d *diary) content() (data []byte, until time.Time, err error) {
	d.asked = append(d.asked, time.Since(d.began).String())
	if !time.Now().Before(d.until) {
		d.until = time.Time{}
	}
	return fmt.Append(nil, len(d.asked)), d.until, nil
}

func (d *diary) want(t *testing.T, times ...string) {
	t.Helper()
	if !slices.Equal(d.asked, times) {
		t.Errorf("asked at %v, want %v", d.asked, times)
	}
}

// TestKeeperPauses: the first change is written at once, those within the pause once after it, the last one
// at the end.
func TestKeeperPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		d := &diary{began: time.Now()}
		k := NewKeeper(path, 30*time.Second, d.content, func(err error) { t.Error(err) })
		end := keeping(t, k)
		time.Sleep(time.Second)
		for range 20 {
			k.Changed()
			time.Sleep(time.Second)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		d.want(t, "1s", "31s")
		k.Changed()
		synctest.Wait()
		k.Changed()
		end()
		d.want(t, "1s", "31s", "5m21s", "5m21s")
		if got, err := os.ReadFile(path); string(got) != "4" {
			t.Errorf("%q, %v, want what came last", got, err)
		}
	})
}

// TestKeeperKeepsTime: what changes by itself is written at its time, once.
func TestKeeperKeepsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &diary{began: time.Now(), until: time.Now().Add(time.Minute)}
		k := NewKeeper(filepath.Join(t.TempDir(), "state"), 0, d.content, func(err error) { t.Error(err) })
		end := keeping(t, k)
		k.Changed()
		time.Sleep(time.Hour)
		end()
		d.want(t, "0s", "1m0s")
	})
}

// TestKeeperTriesAgain: a write that fails is told and tried again, at the end as well.
func TestKeeperTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "later")
		d, failures := &diary{began: time.Now()}, 0
		k := NewKeeper(filepath.Join(dir, "state"), 0, d.content, func(err error) {
			failures++
			if !errors.Is(err, os.ErrNotExist) {
				t.Errorf("failed: %v", err)
			}
		})
		end := keeping(t, k)
		k.Changed()
		time.Sleep(Retry + time.Second)
		synctest.Wait()
		if failures != 2 {
			t.Errorf("told of %d failures, want 2", failures)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		end()
		if got, err := os.ReadFile(filepath.Join(dir, "state")); string(got) != "3" {
			t.Errorf("%q, %v, want the third try's", got, err)
		}
	})
}
