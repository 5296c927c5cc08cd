//! Reads what strace writes: system calls of all threads, in the order in which they ended.

use std::collections::HashMap;

/// One finished system call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Such as `pwrite64`.
    pub(crate) name: String,
    /// As written, strings still in quotes.
    pub(crate) arguments: Vec<String>,
    /// What the kernel answered; negative is a failure.
    pub(crate) result: i64,
    /// How many calls had come to their ends when this one began.
    pub(crate) began: usize,
}

/// A call of one thread that others came in between of.
struct Begun {
    text: String,
    at: usize,
}

/// The calls in a log of `strace -f -xx`, as far as they came to an end, `close` when it began: its number
/// is free from then on, and may be given to another thread before the call is through.
///
/// # Panics
/// When a line makes no sense.
pub(crate) fn calls(log: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut begun: HashMap<&str, Begun> = HashMap::new();
    for line in log.lines() {
        let (thread, rest) = line
            .split_once(' ')
            .unwrap_or_else(|| panic!("no thread in {line:.200}"));
        let rest = rest.trim_start();
        if rest.starts_with("+++") || rest.starts_with("---") {
            continue;
        }
        if let Some(text) = rest.strip_suffix(" <unfinished ...>") {
            let at = calls.len();
            if text.starts_with("close(") {
                calls.push(call(&format!("{text}) = 0"), at));
                continue;
            }
            let text = text.to_owned();
            begun.insert(thread, Begun { text, at });
            continue;
        }
        let resumed = rest
            .strip_prefix("<... ")
            .and_then(|rest| rest.split_once(" resumed>"));
        match resumed {
            Some(("close", _)) => {}
            Some((_, end)) => {
                let Begun { text, at } = begun
                    .remove(thread)
                    .unwrap_or_else(|| panic!("resumed without a beginning: {line:.200}"));
                calls.push(call(&format!("{text}{end}"), at));
            }
            None => calls.push(call(rest, calls.len())),
        }
    }
    calls
}

fn call(text: &str, began: usize) -> Call {
    let parsed = || {
        let (name, rest) = text.split_once('(')?;
        // The answer stands behind the last `=`; an error's name and what it means follow it.
        let (arguments, result) = rest.rsplit_once(" = ")?;
        let arguments = arguments.trim_end().strip_suffix(')')?;
        let result = result.split_whitespace().next()?;
        Some(Call {
            name: name.to_owned(),
            arguments: split(arguments),
            // A call that the process did not live to see has a question mark.
            result: match result.strip_prefix("0x") {
                Some(address) => i64::from_str_radix(address, 16).unwrap_or(0),
                None => result.parse().unwrap_or(-1),
            },
            began,
        })
    };
    parsed().unwrap_or_else(|| panic!("no system call: {text:.200}"))
}

/// Splits at the commas that are in no string, list or structure.
fn split(arguments: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    let mut in_string = false;
    for letter in arguments.chars() {
        match letter {
            '"' => in_string = !in_string,
            '[' | '{' if !in_string => depth += 1,
            ']' | '}' if !in_string => depth = depth.saturating_sub(1),
            ',' if !in_string && depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(letter);
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).collect()
}

/// The bytes of all strings in an argument, one behind the other.
///
/// # Panics
/// When a string was cut off or is not written in hexadecimal.
pub(crate) fn bytes(argument: &str) -> Vec<u8> {
    assert!(
        !argument.contains("\"..."),
        "strace cut a string off: {argument:.200}"
    );
    let digits = argument
        .split('"')
        .skip(1)
        .step_by(2)
        .flat_map(|string| string.split("\\x").skip(1));
    digits
        .map(|pair| {
            u8::from_str_radix(pair, 16).unwrap_or_else(|_| panic!("not hexadecimal: {pair:.20}"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_come_in_the_order_of_their_ends_and_know_where_they_began() {
        let log = "\
            7 openat(AT_FDCWD, \"\\x2f\\x61\", O_RDWR|O_CREAT, 0644) = 5\n\
            7 fsync(5 <unfinished ...>\n\
            8 writev(6, [{iov_base=\"\\x01\", iov_len=1}, {iov_base=\"\\x02\", iov_len=1}], 2) = 2\n\
            7 <... fsync resumed>)              = 0\n\
            8 close(6 <unfinished ...>\n\
            7 openat(AT_FDCWD, \"\\x2f\\x62\", O_RDONLY) = -1 ENOENT (No such file or directory)\n\
            8 <... close resumed>)              = 0\n\
            8 +++ exited with 0 +++\n";
        let calls = calls(log);
        let names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
        assert_eq!(names, ["openat", "writev", "fsync", "close", "openat"]);
        assert_eq!(bytes(&calls[0].arguments[1]), b"/a");
        assert_eq!(bytes(&calls[1].arguments[1]), [1, 2]);
        assert_eq!(calls[2].began, 1, "before the write of the other thread");
        assert_eq!(calls[4].result, -1);
    }
}
