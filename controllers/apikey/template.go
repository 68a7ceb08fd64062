package apikey

import (
	"fmt"
	"strings"
	"time"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/controllers/compile"
	"github.com/apikey-operator/apikey-operator/internal/key"
	"github.com/apikey-operator/apikey-operator/internal/safetemplate"
)

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
	if t := compile.EndOf(k); t != nil {
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
	t, err := safetemplate.Parse(text, ".Scopes", ".Attributes")
	if err != nil {
		return nil, err
	}
	return t.Render(data)
}
