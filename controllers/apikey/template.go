package apikey

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
	"time"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/internal/key"
)

const (
	// maxEntry bounds what one template may write, in bytes, and what each of its
	// functions may return.
	maxEntry = 16 << 10
	// maxWork bounds what its functions may return altogether.
	maxWork = 64 * maxEntry
)

// work is what the functions of one template have returned: without a bound a
// variable that grows in a loop would take all memory.
type work struct{ bytes int }

func (w *work) add(n int) error {
	if n > maxEntry {
		return errTooLong
	}
	if w.bytes += n; w.bytes > maxWork {
		return errTooMuch
	}
	return nil
}

// done bounds the result of a function that can't grow its argument by much.
func (w *work) done(s string) (string, error) { return s, w.add(len(s)) }

// functions are all that a template may call, besides those of text/template in
// builtinFunctions.
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

var ourFunctions = new(work).functions()

var builtinFunctions = []string{"index", "len", "eq", "ne", "and", "or", "not"}

// ranges are what a range may go over: a number would be a loop of any length.
var ranges = []string{".Scopes", ".Attributes"}

// templateData is what a template sees.
type templateData struct {
	Key, Name, Namespace, API, DisplayName, Project, Environment, Hint, ExpiresAt string

	Scopes     []string
	Attributes map[string]string
	Owner      struct{ Name, Email string }
}

func newTemplateData(k *v1alpha1.APIKey, raw key.Raw, hint string) templateData {
	d := templateData{
		Key: raw.Reveal(), Name: k.Name, Namespace: k.Namespace, API: compile.APIName(k).String(),
		DisplayName: k.Spec.DisplayName, Project: k.Spec.Project, Environment: string(k.Spec.Environment), Hint: hint,
		Attributes: map[string]string{},
	}
	for _, s := range k.Spec.Scopes {
		d.Scopes = append(d.Scopes, string(s))
	}
	for name, v := range k.Spec.Attributes {
		d.Attributes[name] = string(v)
	}
	if o := k.Spec.Owner; o != nil {
		d.Owner.Name, d.Owner.Email = o.Name, o.Email
	}
	if t := k.Spec.ExpiresAt; t != nil {
		d.ExpiresAt = t.UTC().Format(time.RFC3339)
	}
	return d
}

// CheckTemplates renders every template of an APIKey around a stand-in for the
// raw key, so that what goes wrong can be shown. Its error is a Problem.
func CheckTemplates(k *v1alpha1.APIKey, format key.Format) error {
	if k.Spec.Secret == nil || len(k.Spec.Secret.Data) == 0 {
		return nil
	}
	standIn := key.NewRaw(strings.Repeat("x", 64))
	data := newTemplateData(k, standIn, format.Prefix)
	for _, entry := range sortedKeys(k.Spec.Secret.Data) {
		if _, err := render(string(k.Spec.Secret.Data[entry]), data); err != nil {
			return &Problem{
				Reason:  v1alpha1.ReasonInvalidTemplate,
				Message: fmt.Sprintf("spec.secret.data[%s]: %v", entry, err),
			}
		}
	}
	return nil
}

// render renders one template. Its error may show data: it is for stand-ins.
func render(text string, data templateData) ([]byte, error) {
	t, err := template.New("template").Option("missingkey=error").Funcs(new(work).functions()).Parse(text)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "template: "))
	}
	if len(t.Templates()) > 1 {
		return nil, errors.New("define and block are not allowed")
	}
	if t.Tree == nil {
		return nil, nil // nothing but comments
	}
	if err := checkNode(t.Root, false); err != nil {
		return nil, err
	}
	var out bounded
	if err := t.Execute(&out, data); err != nil {
		for _, bound := range []error{errTooLong, errTooMuch} {
			if errors.Is(err, bound) {
				return nil, bound
			}
		}
		return nil, errors.New(strings.TrimPrefix(err.Error(), "template: "))
	}
	return out.bytes, nil
}

// checkNode refuses what could run for long: other templates, ranges within
// ranges, and functions that aren't listed.
func checkNode(n parse.Node, inRange bool) error {
	switch n := n.(type) {
	case *parse.ListNode:
		return checkList(n, inRange)
	case *parse.ActionNode:
		return checkPipe(n.Pipe)
	case *parse.IfNode:
		return checkBranch(&n.BranchNode, inRange)
	case *parse.WithNode:
		return checkBranch(&n.BranchNode, inRange)
	case *parse.RangeNode:
		if inRange {
			return errors.New("a range within a range is not allowed")
		}
		if over := n.Pipe.String(); !slices.ContainsFunc(ranges, func(list string) bool { return strings.HasSuffix(over, list) }) || len(n.Pipe.Cmds) != 1 || len(n.Pipe.Cmds[0].Args) != 1 {
			return errors.New("a range must be over .Scopes or .Attributes")
		}
		return checkBranch(&n.BranchNode, true)
	case *parse.TemplateNode:
		return errors.New("template is not allowed")
	default:
		return nil
	}
}

func checkList(l *parse.ListNode, inRange bool) error {
	if l == nil {
		return nil
	}
	for _, n := range l.Nodes {
		if err := checkNode(n, inRange); err != nil {
			return err
		}
	}
	return nil
}

func checkBranch(b *parse.BranchNode, inRange bool) error {
	return errors.Join(checkPipe(b.Pipe), checkList(b.List, inRange), checkList(b.ElseList, inRange))
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
		if _, ours := ourFunctions[n.Ident]; !ours && !slices.Contains(builtinFunctions, n.Ident) {
			return fmt.Errorf("function %q is not allowed", n.Ident)
		}
	}
	return nil
}

var (
	errTooLong = fmt.Errorf("the result is longer than %d bytes", maxEntry)
	errTooMuch = fmt.Errorf("the functions return more than %d bytes altogether", maxWork)
)

// bounded is a writer that refuses to hold more than maxEntry.
type bounded struct{ bytes []byte }

var _ io.Writer = (*bounded)(nil)

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if len(b.bytes)+len(p) > maxEntry {
		return 0, errTooLong
	}
	b.bytes = append(b.bytes, p...)
	return len(p), nil
}
