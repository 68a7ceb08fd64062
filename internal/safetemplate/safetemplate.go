package safetemplate

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

// MaxLength bounds what one template may write, in bytes.
const MaxLength = 16 << 10

// maxWork bounds what a template's functions may return altogether, in bytes.
const maxWork = 64 * MaxLength

// work is what the functions of one template have returned: without a bound a
// variable that grows in a loop would take all memory.
type work struct{ bytes int }

func (w *work) add(n int) error {
	if n > MaxLength {
		return ErrTooLong
	}
	if w.bytes += n; w.bytes > maxWork {
		return ErrTooMuch
	}
	return nil
}

// done bounds the result of a function that can't grow its argument by much.
func (w *work) done(s string) (string, error) { return s, w.add(len(s)) }

// functions are all that a template may call, besides those of text/template in
// builtins.
func (w *work) functions() template.FuncMap {
	return template.FuncMap{
		"base64":   func(s string) (string, error) { return w.done(base64.StdEncoding.EncodeToString([]byte(s))) },
		"json":     w.json,
		"lower":    func(s string) (string, error) { return w.done(strings.ToLower(s)) },
		"upper":    func(s string) (string, error) { return w.done(strings.ToUpper(s)) },
		"trim":     func(s string) (string, error) { return w.done(strings.TrimSpace(s)) },
		"join":     w.join,
		"urlquery": func(s string) (string, error) { return w.done(url.QueryEscape(s)) },
	}
}

func (w *work) json(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return w.done(string(b))
}

// join may multiply the length of its argument.
func (w *work) join(separator string, list []string) (string, error) {
	n := len(separator) * max(0, len(list)-1)
	for _, s := range list {
		n += len(s)
	}
	if err := w.add(n); err != nil {
		return "", err
	}
	return strings.Join(list, separator), nil
}

var functions = new(work).functions()

var builtins = []string{"index", "len", "eq", "ne", "and", "or", "not"}

// Template is a parsed template. It is safe for concurrent use.
type Template struct {
	template *template.Template
	ranges   []string
}

// Parse parses a template. A range may go over the named fields only: one over a
// number would be a loop of any length.
func Parse(text string, ranges ...string) (*Template, error) {
	t, err := template.New("template").Option("missingkey=error").Funcs(functions).Parse(text)
	if err != nil {
		return nil, plain(err)
	}
	if len(t.Templates()) > 1 {
		return nil, errors.New("define and block are not allowed")
	}
	out := &Template{template: t, ranges: ranges}
	if t.Tree == nil {
		return out, nil // nothing but comments
	}
	return out, out.checkNode(t.Root, false)
}

// Render renders the template. Its error may show data.
func (t *Template) Render(data any) ([]byte, error) {
	if t.template.Tree == nil {
		return nil, nil
	}
	// The functions count what they return: each rendering has its own.
	copied, err := t.template.Clone()
	if err != nil {
		return nil, plain(err)
	}
	var out bounded
	err = copied.Funcs(new(work).functions()).Execute(&out, data)
	for _, bound := range []error{ErrTooLong, ErrTooMuch} {
		if errors.Is(err, bound) {
			return nil, bound
		}
	}
	if err != nil {
		return nil, plain(err)
	}
	return out.bytes, nil
}

// plain is an error without the name that text/template puts before it.
func plain(err error) error { return errors.New(strings.TrimPrefix(err.Error(), "template: ")) }

// checkNode refuses what could run for long: other templates, ranges within
// ranges, and functions that aren't listed.
func (t *Template) checkNode(n parse.Node, inRange bool) error {
	switch n := n.(type) {
	case *parse.ListNode:
		return t.checkList(n, inRange)
	case *parse.ActionNode:
		return checkPipe(n.Pipe)
	case *parse.IfNode:
		return t.checkBranch(&n.BranchNode, inRange)
	case *parse.WithNode:
		return t.checkBranch(&n.BranchNode, inRange)
	case *parse.RangeNode:
		if inRange {
			return errors.New("a range within a range is not allowed")
		}
		if !t.mayRange(n.Pipe) {
			return fmt.Errorf("a range must be over %s", strings.Join(t.ranges, " or "))
		}
		return t.checkBranch(&n.BranchNode, true)
	case *parse.TemplateNode:
		return errors.New("template is not allowed")
	default:
		return nil
	}
}

func (t *Template) mayRange(p *parse.PipeNode) bool {
	return len(p.Cmds) == 1 && len(p.Cmds[0].Args) == 1 &&
		slices.Contains(t.ranges, strings.TrimPrefix(p.Cmds[0].Args[0].String(), "$"))
}

func (t *Template) checkList(l *parse.ListNode, inRange bool) error {
	if l == nil {
		return nil
	}
	for _, n := range l.Nodes {
		if err := t.checkNode(n, inRange); err != nil {
			return err
		}
	}
	return nil
}

func (t *Template) checkBranch(b *parse.BranchNode, inRange bool) error {
	return errors.Join(checkPipe(b.Pipe), t.checkList(b.List, inRange), t.checkList(b.ElseList, inRange))
}

func checkPipe(p *parse.PipeNode) error {
	if p == nil {
		return nil
	}
	for _, c := range p.Cmds {
		for _, arg := range c.Args {
			if err := checkArgument(arg); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkArgument(n parse.Node) error {
	switch n := n.(type) {
	case *parse.PipeNode:
		return checkPipe(n)
	case *parse.ChainNode:
		return checkArgument(n.Node)
	case *parse.IdentifierNode:
		if _, ours := functions[n.Ident]; !ours && !slices.Contains(builtins, n.Ident) {
			return fmt.Errorf("function %q is not allowed", n.Ident)
		}
	}
	return nil
}

// The bounds that a template may exceed.
var (
	ErrTooLong = fmt.Errorf("the result is longer than %d bytes", MaxLength)
	ErrTooMuch = fmt.Errorf("the functions return more than %d bytes altogether", maxWork)
)

// bounded is a writer that refuses to hold more than MaxLength.
type bounded struct{ bytes []byte }

var _ io.Writer = (*bounded)(nil)

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if len(b.bytes)+len(p) > MaxLength {
		return 0, ErrTooLong
	}
	b.bytes = append(b.bytes, p...)
	return len(p), nil
}
