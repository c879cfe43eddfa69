//! What Praat reads of a text file: numbers, texts in quotes and flags that stand free; all other words are for people.

use super::LabelsFault;
use super::error::Fault;

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Number(f64),
    Text(String),
    Flag(String),
}

/// Gives them one after another.
pub(super) struct Tokens<'a> {
    rest: &'a str,
    /// Counted from 1.
    line: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, line: 1 }
    }

    pub(super) fn line(&self) -> usize {
        self.line
    }

    fn take(&mut self, n_bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(n_bytes);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    /// The next token; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token>, Fault> {
        loop {
            let n_space = self.rest.len() - self.rest.trim_start().len();
            self.take(n_space);
            if self.rest.is_empty() {
                return Ok(None);
            }
            if self.rest.starts_with('!') {
                let n_comment = self.rest.find('\n').unwrap_or(self.rest.len());
                self.take(n_comment);
                continue;
            }
            if self.rest.starts_with('"') {
                return self.text().map(Some);
            }
            let n_word = self.rest.find(char::is_whitespace).unwrap_or(self.rest.len());
            let word = self.take(n_word);
            if let Some(flag) = word.strip_prefix('<').and_then(|flag| flag.strip_suffix('>')) {
                return Ok(Some(Token::Flag(flag.to_owned())));
            }
            let is_number = word.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '+' | '.'));
            if let (true, Ok(number)) = (is_number, word.parse()) {
                return Ok(Some(Token::Number(number)));
            }
        }
    }

    /// Between quotes; a doubled one is a quote.
    fn text(&mut self) -> Result<Token, Fault> {
        let line = self.line;
        self.take(1);
        let mut text = String::new();
        loop {
            let Some(end) = self.rest.find('"') else {
                return Err((line, LabelsFault::unexpected("a text without an end", "a closing quote")));
            };
            text.push_str(self.take(end));
            self.take(1);
            if !self.rest.starts_with('"') {
                return Ok(Token::Text(text));
            }
            text.push_str(self.take(1));
        }
    }

    fn expect<T>(&mut self, expected: &'static str, pick: impl Fn(Token) -> Result<T, Token>) -> Result<T, Fault> {
        let found = match self.next()? {
            Some(token) => match pick(token) {
                Ok(value) => return Ok(value),
                Err(Token::Number(number)) => number.to_string(),
                Err(Token::Text(text)) => text,
                Err(Token::Flag(flag)) => format!("<{flag}>"),
            },
            None => "the end of the file".to_owned(),
        };
        Err((self.line, LabelsFault::unexpected(&found, expected)))
    }

    pub(super) fn number(&mut self, expected: &'static str) -> Result<f64, Fault> {
        self.expect(expected, |token| match token {
            Token::Number(number) => Ok(number),
            other => Err(other),
        })
    }

    pub(super) fn quoted(&mut self, expected: &'static str) -> Result<String, Fault> {
        self.expect(expected, |token| match token {
            Token::Text(text) => Ok(text),
            other => Err(other),
        })
    }

    pub(super) fn flag(&mut self, expected: &'static str) -> Result<String, Fault> {
        self.expect(expected, |token| match token {
            Token::Flag(flag) => Ok(flag),
            other => Err(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_stand_free_is_for_people() {
        let mut tokens = Tokens::new("item [1]: ! 5\n xmin = -1.5 \"a \"\"b\"\"\n\" <exists> 12x");
        let found: Vec<Token> = std::iter::from_fn(|| tokens.next().unwrap()).collect();
        let text = Token::Text("a \"b\"\n".into());
        assert_eq!(found, [Token::Number(-1.5), text, Token::Flag("exists".into())]);
        assert_eq!(tokens.line(), 3);
        assert!(Tokens::new("\"open").next().is_err());
    }
}
