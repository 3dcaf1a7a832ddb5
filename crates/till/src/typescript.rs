//! The shapes of requests and answers, as TypeScript.

use std::any::TypeId;
use std::collections::HashSet;

use ts_rs::{Config, TS, TypeVisitor};

/// Types and all that they need, each declared once.
pub(crate) struct Declarations {
    config: Config,
    seen: HashSet<TypeId>,
    declared: Vec<Declared>,
}

/// A type's declaration, with comments on its fields, and the comment on itself.
struct Declared {
    code: String,
    comment: Option<String>,
}

impl Default for Declarations {
    fn default() -> Self {
        // JSON numbers are numbers: amounts and positions stay below 2^53.
        let config = Config::new().with_large_int("number");
        Self { config, seen: HashSet::new(), declared: Vec::new() }
    }
}

impl Declarations {
    /// Declares a type and those it needs, and tells what it is called.
    pub(crate) fn add<T: TS + 'static>(&mut self) -> String {
        self.visit::<T>();
        T::name(&self.config)
    }

    /// The declarations, one to a line, each with the first sentence of what is said about it.
    pub(crate) fn on_lines(&self) -> String {
        let line = |Declared { code, comment }: &Declared| {
            let code = without_comments(code);
            match comment.as_deref().and_then(first_sentence) {
                Some(comment) => format!("{code} // {comment}"),
                None => code,
            }
        };
        self.declared.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The declarations with all that is said about them, for a file that others import from.
    pub(crate) fn exported(&self) -> String {
        let export = |Declared { code, comment }: &Declared| {
            let comment = comment.as_deref().unwrap_or_default();
            indented(&format!("{comment}export {code}"))
        };
        // By name: in which order types need each other may differ from build to build.
        let mut declared: Vec<&Declared> = self.declared.iter().collect();
        declared.sort_unstable_by(|a, b| a.code.cmp(&b.code));
        declared.into_iter().map(export).collect::<Vec<_>>().join("\n")
    }
}

impl TypeVisitor for Declarations {
    fn visit<T: TS + 'static + ?Sized>(&mut self) {
        if !self.seen.insert(TypeId::of::<T>()) {
            return;
        }
        // Only types of our own have a place to be exported to; `string` and the like do not.
        if T::output_path().is_some() {
            self.declared.push(Declared { code: T::decl(&self.config), comment: T::docs() });
        }
        T::visit_dependencies(self);
        T::visit_generics(self);
    }
}

/// A declaration on one line, without what is said about each field.
fn without_comments(declaration: &str) -> String {
    let code = declaration.split("/**").enumerate().map(|(index, part)| match index {
        0 => part,
        _ => part.split_once("*/").map_or("", |(_, code)| code),
    });
    code.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// A declaration as people write it: fields indented, comments of one line on one line, and no
/// links to Rust in them.
fn indented(declaration: &str) -> String {
    let mut text = String::new();
    let mut depth = 0;
    let mut comment: Option<Vec<&str>> = None;
    for line in declaration.replace("/**", "\n/**\n").lines().map(str::trim) {
        match (line, &mut comment) {
            ("", _) => {}
            ("/**", _) => comment = Some(Vec::new()),
            ("*/", Some(said)) => {
                let indent = "\t".repeat(depth);
                match said.as_slice() {
                    [one] => text += &format!("{indent}/** {one} */\n"),
                    several => {
                        let lines = several.iter().map(|line| format!("{indent} * {line}"));
                        let lines: Vec<String> = lines.map(|l| l.trim_end().to_owned()).collect();
                        text += &format!("{indent}/**\n{}\n{indent} */\n", lines.join("\n"));
                    }
                }
                comment = None;
            }
            (line, Some(said)) => said.push(line.trim_start_matches('*').trim()),
            (code, None) => {
                let code = if depth > 0 { code.replace(", };", ",\n};") } else { code.to_owned() };
                for code in code.lines() {
                    let closes = code.starts_with('}');
                    text += &format!(
                        "{}{code}\n",
                        "\t".repeat(depth.saturating_sub(usize::from(closes)))
                    );
                    depth = (depth + code.matches('{').count())
                        .saturating_sub(code.matches('}').count());
                }
            }
        }
    }
    without_links(&text)
}

/// Each ``[`X`](path)`` and ``[`X`]`` becomes `` `X` ``.
fn without_links(text: &str) -> String {
    let mut pieces = text.split("[`");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once("`]").unwrap_or((piece, ""));
        let path = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        plain += &format!("`{name}`{}", path.map_or(rest, |(_, rest)| rest));
    }
    plain
}

/// The first sentence of a comment.
fn first_sentence(comment: &str) -> Option<String> {
    let lines = comment.lines().map(|line| line.trim_matches(['/', '*', ' ']));
    let paragraph = lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
    let text = paragraph.collect::<Vec<_>>().join(" ");
    let sentence = text.split_inclusive(". ").next()?;
    Some(sentence.trim_end().to_owned())
}

#[cfg(test)]
#[allow(dead_code, reason = "only the shapes are looked at")]
mod tests {
    use super::*;

    /// What somebody
    /// buys. And what not.
    ///
    /// And more.
    #[derive(TS)]
    struct Basket {
        /// In the order in which they were
        /// put in.
        lines: Vec<BasketLine>,
        /// What else is to be said.
        note: Option<String>,
        again: Vec<BasketLine>,
    }

    #[derive(TS)]
    struct BasketLine {
        quantity: i64,
    }

    #[test]
    fn each_type_that_is_needed_is_declared_once() {
        let mut declarations = Declarations::default();
        assert_eq!(declarations.add::<Basket>(), "Basket");
        assert_eq!(declarations.add::<BasketLine>(), "BasketLine");
        assert_eq!(
            declarations.on_lines(),
            "type Basket = { lines: Array<BasketLine>, note: string | null, again: Array<BasketLine>, }; // What somebody buys.\n\
             type BasketLine = { quantity: number, };"
        );
    }

    #[test]
    fn a_file_has_all_that_is_said_about_each_type_and_links_to_nothing() {
        let mut declarations = Declarations::default();
        declarations.add::<Basket>();
        assert_eq!(
            declarations.exported(),
            "/**\n * What somebody\n * buys. And what not.\n *\n * And more.\n */\n\
             export type Basket = {\n\
             \t/**\n\t * In the order in which they were\n\t * put in.\n\t */\n\
             \tlines: Array<BasketLine>,\n\
             \t/** What else is to be said. */\n\
             \tnote: string | null, again: Array<BasketLine>,\n\
             };\n\n\
             export type BasketLine = { quantity: number, };\n"
        );
        assert_eq!(without_links("a [`B`](c::D), [`E`]; [f]"), "a `B`, `E`; [f]");
    }
}
