package compile

import (
	"fmt"

	"github.com/apikey-operator/apikey-operator/api/v1alpha1"
	"github.com/apikey-operator/apikey-operator/internal/condition"
	"github.com/apikey-operator/apikey-operator/internal/keyring"
)

// setConditions compiles the CEL conditions.
func setConditions(p *v1alpha1.ProtectedAPI, api *keyring.API) error {
	for i, c := range p.Spec.Conditions {
		compiled, err := condition.Compile(c.Expression)
		if err != nil {
			return fmt.Errorf("spec.conditions[%d].expression: %w", i, err)
		}
		api.Conditions = append(api.Conditions, keyring.Condition{Expression: compiled, Message: c.Message})
	}
	return nil
}
