//! Expressions in the place of literals.

use syn::Expr;

/// Whether an expression consists of literals alone, such as `-5` or `60 * 10`.
pub(super) fn is_of_literals(expr: &Expr) -> bool {
    match expr {
        Expr::Lit(_) => true,
        Expr::Binary(binary) => is_of_literals(&binary.left) && is_of_literals(&binary.right),
        Expr::Group(group) => is_of_literals(&group.expr),
        Expr::Paren(paren) => is_of_literals(&paren.expr),
        Expr::Unary(unary) => is_of_literals(&unary.expr),
        _ => false,
    }
}
