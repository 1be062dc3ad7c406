package selftest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
)

// talk is the conversation with the user, line by line.
type talk struct {
	out   io.Writer
	lines chan string // closed at the end of the input
}

// newTalk reads in until it ends or ctx does; a reader that blocks is left behind.
func newTalk(ctx context.Context, in io.Reader, out io.Writer) *talk {
	t := &talk{out: out, lines: make(chan string)}
	go func() {
		defer close(t.lines)
		for s := bufio.NewScanner(in); s.Scan(); {
			select {
			case t.lines <- strings.TrimSpace(s.Text()):
			case <-ctx.Done():
				return
			}
		}
	}()
	return t
}

func (t *talk) say(format string, args ...any) { fmt.Fprintf(t.out, format+"\n", args...) }

// errGone: the input has ended, nobody is there any more.
var errGone = fmt.Errorf("selftest: answer: %w", io.ErrUnexpectedEOF)

// line asks for one line.
func (t *talk) line(ctx context.Context, question string) (string, error) {
	fmt.Fprint(t.out, question)
	select {
	case line, ok := <-t.lines:
		if !ok {
			return "", errGone
		}
		return line, nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// answer is what the user says to a question.
type answer string

const (
	yes  answer = "y"
	no   answer = "n"
	skip answer = "s"
)

// ask asks until it is answered.
func (t *talk) ask(ctx context.Context, format string, args ...any) (answer, error) {
	question := fmt.Sprintf(format, args...) + " [y = yes, n = no, s = skip] "
	for {
		line, err := t.line(ctx, question)
		if err != nil {
			return "", err
		}
		switch strings.ToLower(line) {
		case "y", "yes":
			return yes, nil
		case "n", "no":
			return no, nil
		case "s", "skip":
			return skip, nil
		}
	}
}
