//! Text that is longer than a line.

/// The width of a line, in characters.
const WIDTH: usize = 100;

/// A text behind a label, its further lines under the first. `indent` is the width of the label.
pub(super) fn behind(label: &str, indent: usize, text: &str) -> String {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let length = line.chars().count() + word.chars().count();
        if !line.is_empty() && indent + length >= WIDTH {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    format!("{label:<indent$}{}", lines.join(&format!("\n{:indent$}", "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_stands_in_lines_under_each_other() {
        let text = "word ".repeat(40);
        let said = behind("label", 8, text.trim());
        let lines: Vec<&str> = said.lines().collect();
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH), "{said}");
        assert!(lines[0].starts_with("label   word"));
        assert!(lines[1..].iter().all(|line| line.starts_with("        word")));
        assert_eq!(said.matches("word").count(), 40);
        assert_eq!(behind("a", 2, ""), "a ");
    }
}
