//! Conditions on the attributes of elements: the expressions of `VSIM ... FILTER`.
//!
//! ```text
//! .year >= 1980 and .genre in ["drama", "western"]
//! ```
//!
//! An expression is read once ([`parse`]) into a program for a stack: what is to be computed comes before what computes it.
//! It is then run for each element, whose attribute is JSON; [`json`] finds the fields that the expression names. Who
//! lacks one of them, or has none that can be read, does not match, whatever the rest says.
//!
//! Values are numbers, texts, lists and null. Where a number is needed a text is the number that it spells, or zero, and a
//! list is zero. True are all numbers but zero, texts that are not empty, and lists.

mod json;
mod parse;
#[cfg(test)]
mod tests;

use crate::format::number::parse_bound;

/// A value of an expression or of a field.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Null,
    Number(f64),
    Text(Vec<u8>),
    List(Vec<Value>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
    Not,
}

impl Operator {
    fn operands(self) -> usize {
        if self == Operator::Not { 1 } else { 2 }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// Puts a value of the expression on the stack.
    Constant(usize),
    /// Puts a field on the stack, by its place among those that the expression names.
    Field(usize),
    Apply(Operator),
}

/// An expression that was read.
#[derive(Debug)]
pub struct Filter {
    steps: Vec<Step>,
    constants: Vec<Value>,
    fields: Vec<Vec<u8>>,
}

/// What is no expression.
#[derive(Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where it was noticed; the beginning if it was at the end, or is about the whole.
    pub at: usize,
}

impl Filter {
    /// Reads an expression. O(length).
    ///
    /// # Errors
    /// Says where it is none.
    pub fn new(expression: &[u8]) -> Result<Self, SyntaxError> {
        parse::parse(expression)
    }

    /// Whether an element with this attribute matches. O(length of both).
    pub fn matches(&self, attribute: &[u8]) -> bool {
        if attribute.is_empty() {
            return false;
        }
        let fields: Option<Vec<Value>> = self.fields.iter().map(|name| json::field(attribute, name)).collect();
        let Some(fields) = fields else { return false };
        let mut stack: Vec<Operand> = Vec::new();
        for step in &self.steps {
            let operand = match *step {
                Step::Constant(at) => Operand::of(&self.constants[at]),
                Step::Field(at) => Operand::of(&fields[at]),
                Step::Apply(operator) => {
                    let (Some(right), left) = (stack.pop(), (operator.operands() > 1).then(|| stack.pop())) else {
                        return false;
                    };
                    operator.apply(left.flatten().unwrap_or(Operand::Null), right)
                }
            };
            stack.push(operand);
        }
        stack.pop().is_some_and(Operand::is_true)
    }
}

/// A value on the stack.
#[derive(Clone, Copy)]
enum Operand<'v> {
    Null,
    Number(f64),
    Text(&'v [u8]),
    List(&'v [Value]),
}

impl<'v> Operand<'v> {
    fn of(value: &'v Value) -> Self {
        match value {
            Value::Null => Operand::Null,
            Value::Number(number) => Operand::Number(*number),
            Value::Text(text) => Operand::Text(text),
            Value::List(values) => Operand::List(values),
        }
    }

    fn is_true(self) -> bool {
        match self {
            Operand::Null => false,
            Operand::Number(number) => number != 0.0,
            Operand::Text(text) => !text.is_empty(),
            Operand::List(_) => true,
        }
    }

    fn number(self) -> f64 {
        match self {
            Operand::Number(number) => number,
            Operand::Text(text) => number_of(text),
            Operand::Null | Operand::List(_) => 0.0,
        }
    }

    fn equals(self, other: Self) -> bool {
        match (self, other) {
            (Operand::Text(one), Operand::Text(other)) => one == other,
            (Operand::Null, Operand::Null) => true,
            (Operand::Null, _) | (_, Operand::Null) => false,
            (one, other) => one.number() == other.number(),
        }
    }
}

/// The number that a text spells to its end, spaces before it aside; zero if it spells none.
fn number_of(text: &[u8]) -> f64 {
    match parse_bound(text) {
        Some(number) => number,
        None if text.eq_ignore_ascii_case(b"nan") => f64::NAN,
        None => 0.0,
    }
}

impl Operator {
    fn apply<'v>(self, left: Operand<'v>, right: Operand<'v>) -> Operand<'v> {
        let (a, b) = (left.number(), right.number());
        let truth = |truth: bool| f64::from(u8::from(truth));
        Operand::Number(match self {
            Operator::Or => truth(left.is_true() || right.is_true()),
            Operator::And => truth(left.is_true() && right.is_true()),
            Operator::Not => truth(!right.is_true()),
            Operator::Equal => truth(left.equals(right)),
            Operator::Unequal => truth(!left.equals(right)),
            Operator::Less => truth(a < b),
            Operator::LessOrEqual => truth(a <= b),
            Operator::Greater => truth(a > b),
            Operator::GreaterOrEqual => truth(a >= b),
            Operator::In => match right {
                Operand::List(values) => truth(values.iter().any(|value| left.equals(Operand::of(value)))),
                _ => 0.0,
            },
            Operator::Add => a + b,
            Operator::Subtract => a - b,
            Operator::Multiply => a * b,
            Operator::Divide => a / b,
            Operator::Remainder => a % b,
            Operator::Power => a.powf(b),
        })
    }
}
