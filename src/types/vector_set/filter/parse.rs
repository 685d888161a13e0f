//! Reading expressions: tokens, and the shunting yard (E. W. Dijkstra, 1961), which puts each operator behind what it
//! applies to. There is no recursion, so that no expression is too deep.

use super::{Filter, Operator, Step, SyntaxError, Value};

/// The words for operators; of two that fit the longer stands first.
const OPERATORS: [(&[u8], Operator); 18] = [
    (b"**", Operator::Power),
    (b"*", Operator::Multiply),
    (b"+", Operator::Add),
    (b"-", Operator::Subtract),
    (b"/", Operator::Divide),
    (b"%", Operator::Remainder),
    (b"==", Operator::Equal),
    (b"!=", Operator::Unequal),
    (b"!", Operator::Not),
    (b">=", Operator::GreaterOrEqual),
    (b">", Operator::Greater),
    (b"<=", Operator::LessOrEqual),
    (b"<", Operator::Less),
    (b"and", Operator::And),
    (b"&&", Operator::And),
    (b"or", Operator::Or),
    (b"||", Operator::Or),
    (b"in", Operator::In),
];
const NOT: &[u8] = b"not";
/// What operators are written with beside letters.
const SIGNS: &[u8] = b"+-*/%=!<>&|";

/// What of two operators beside each other is applied first.
fn precedence(operator: Operator) -> u8 {
    match operator {
        Operator::Or => 0,
        Operator::And => 1,
        Operator::Equal
        | Operator::Unequal
        | Operator::Less
        | Operator::LessOrEqual
        | Operator::Greater
        | Operator::GreaterOrEqual
        | Operator::In => 2,
        Operator::Add | Operator::Subtract => 3,
        Operator::Multiply | Operator::Divide | Operator::Remainder => 4,
        Operator::Power => 5,
        Operator::Not => 6,
    }
}

enum Token {
    Value(Value),
    Field(Vec<u8>),
    Operator(Operator),
    Open,
    Close,
}

/// What waits for what it applies to.
#[derive(Clone, Copy, PartialEq)]
enum Waiting {
    Operator(Operator),
    Open,
}

struct Lexer<'e> {
    expression: &'e [u8],
    at: usize,
}

/// Something is wrong with the whole, or at its end.
const WHOLE: SyntaxError = SyntaxError { at: 0 };

impl<'e> Lexer<'e> {
    fn rest(&self) -> &'e [u8] {
        &self.expression[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    fn skip_space(&mut self) {
        while self
            .peek()
            .is_some_and(|byte| byte.is_ascii_whitespace() || byte == 0x0B)
        {
            self.at += 1;
        }
    }

    /// Takes bytes as long as they are of a kind.
    fn take_while(&mut self, is_part: impl Fn(u8) -> bool) -> &'e [u8] {
        let rest = self.rest();
        let len = rest.iter().position(|&byte| !is_part(byte)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    /// An error where the lexer stands; the whole if that is the end.
    fn wrong<T>(&self) -> Result<T, SyntaxError> {
        match self.rest().is_empty() {
            true => Err(WHOLE),
            false => Err(SyntaxError { at: self.at }),
        }
    }

    /// The next token. `after_value` says that a minus sign is an operator, also right before a number.
    fn next(&mut self, after_value: bool) -> Result<Option<Token>, SyntaxError> {
        self.skip_space();
        let Some(byte) = self.peek() else { return Ok(None) };
        let begins_number = |at: usize| self.rest().get(at).is_some_and(u8::is_ascii_digit);
        Ok(Some(match byte {
            b'(' => {
                self.at += 1;
                Token::Open
            }
            b')' => {
                self.at += 1;
                Token::Close
            }
            b'.' => Token::Field(self.field()?),
            b'"' | b'\'' | b'[' => Token::Value(self.value()?),
            b'-' if !after_value && begins_number(1) => Token::Value(self.value()?),
            _ if begins_number(0) => Token::Value(self.value()?),
            _ => Token::Operator(self.operator()?),
        }))
    }

    fn field(&mut self) -> Result<Vec<u8>, SyntaxError> {
        self.at += 1;
        let name = self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        match name.is_empty() && !self.rest().is_empty() {
            true => Err(WHOLE),
            false => Ok(name.to_vec()),
        }
    }

    /// A number, a text or a list.
    fn value(&mut self) -> Result<Value, SyntaxError> {
        match self.peek() {
            Some(quote @ (b'"' | b'\'')) => self.text(quote),
            Some(b'[') => self.list(),
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Result<Value, SyntaxError> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        self.take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E'));
        let text = std::str::from_utf8(&self.expression[start..self.at]);
        match text.ok().and_then(|text| text.parse().ok()) {
            Some(number) => Ok(Value::Number(number)),
            None => self.wrong(),
        }
    }

    /// A text in quotes. What stands behind a backslash does not end it; the backslash stays.
    fn text(&mut self, quote: u8) -> Result<Value, SyntaxError> {
        self.at += 1;
        let start = self.at;
        while let Some(byte) = self.peek() {
            if byte == quote {
                let text = self.expression[start..self.at].to_vec();
                self.at += 1;
                return Ok(Value::Text(text));
            }
            let step = if byte == b'\\' { 2 } else { 1 };
            self.at = (self.at + step).min(self.expression.len());
        }
        Err(WHOLE)
    }

    /// A list of numbers and texts, with a comma between them and perhaps behind the last.
    fn list(&mut self) -> Result<Value, SyntaxError> {
        self.at += 1;
        let mut values = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                None => return Err(WHOLE),
                Some(b']') => {
                    self.at += 1;
                    return Ok(Value::List(values));
                }
                Some(b'"' | b'\'' | b'-' | b'0'..=b'9') => values.push(self.value()?),
                Some(_) => return self.wrong(),
            }
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {}
                _ => return self.wrong(),
            }
        }
    }

    fn operator(&mut self) -> Result<Operator, SyntaxError> {
        let known = OPERATORS.iter().chain([&(NOT, Operator::Not)]);
        let longest = known
            .filter(|(word, _)| self.rest().starts_with(word))
            .max_by_key(|(word, _)| word.len());
        if let Some((word, operator)) = longest {
            self.at += word.len();
            return Ok(*operator);
        }
        self.take_while(|byte| byte.is_ascii_alphabetic() || SIGNS.contains(&byte));
        self.wrong()
    }
}

/// The program that is written, and how many values its stack will hold.
#[derive(Default)]
struct Builder {
    steps: Vec<Step>,
    constants: Vec<Value>,
    fields: Vec<Vec<u8>>,
    depth: usize,
}

impl Builder {
    fn constant(&mut self, value: Value) {
        self.steps.push(Step::Constant(self.constants.len()));
        self.constants.push(value);
        self.depth += 1;
    }

    fn field(&mut self, name: Vec<u8>) {
        let known = self.fields.iter().position(|known| *known == name);
        let at = known.unwrap_or_else(|| {
            self.fields.push(name);
            self.fields.len() - 1
        });
        self.steps.push(Step::Field(at));
        self.depth += 1;
    }

    fn apply(&mut self, operator: Operator) -> Result<(), SyntaxError> {
        self.depth = self.depth.checked_sub(operator.operands()).ok_or(WHOLE)? + 1;
        self.steps.push(Step::Apply(operator));
        Ok(())
    }
}

pub fn parse(expression: &[u8]) -> Result<Filter, SyntaxError> {
    let mut lexer = Lexer { expression, at: 0 };
    let (mut program, mut waiting, mut after_value) = (Builder::default(), Vec::new(), false);
    while let Some(token) = lexer.next(after_value)? {
        after_value = !matches!(token, Token::Operator(_) | Token::Open);
        match token {
            Token::Value(value) => program.constant(value),
            Token::Field(name) => program.field(name),
            Token::Open => waiting.push(Waiting::Open),
            Token::Close => loop {
                match waiting.pop() {
                    Some(Waiting::Operator(operator)) => program.apply(operator)?,
                    Some(Waiting::Open) => break,
                    None => return Err(WHOLE),
                }
            },
            Token::Operator(operator) => {
                let goes_first = |other: Operator| match operator {
                    // Of several powers the last goes first.
                    Operator::Power => precedence(other) > precedence(operator),
                    _ => precedence(other) >= precedence(operator),
                };
                while let Some(&Waiting::Operator(other)) = waiting.last()
                    && goes_first(other)
                {
                    waiting.pop();
                    program.apply(other)?;
                }
                waiting.push(Waiting::Operator(operator));
            }
        }
    }
    while let Some(waiting) = waiting.pop() {
        match waiting {
            Waiting::Operator(operator) => program.apply(operator)?,
            Waiting::Open => return Err(WHOLE),
        }
    }
    if program.depth != 1 {
        return Err(WHOLE);
    }
    Ok(Filter {
        steps: program.steps,
        constants: program.constants,
        fields: program.fields,
    })
}
