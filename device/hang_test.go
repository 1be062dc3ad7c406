//go:build !hangtest

package device

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestNothingHangsOnPurpose: the function of hang_hangtest.go is not in a binary built without its tag.
func TestNothingHangsOnPurpose(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	has := func(words ...string) bool { return bytes.Contains(exe, []byte(strings.Join(words, ""))) } // joined here, so that the test does not hold it
	if has("device.hang", "ForEver") {
		t.Error("the binary can be made to hang")
	}
	if !has("device.(*Station)", ".hangOnSignal") && !has("device.(*Station)", ".Run") {
		t.Error("the names of functions cannot be read in this binary: the test shows nothing")
	}
}
