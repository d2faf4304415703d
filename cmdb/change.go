package cmdb

// Change is a set of new revisions of CIs and relations; a removed one is a
// revision with State retired.
type Change struct {
	CIs       []CI
	Relations []Relation
}
