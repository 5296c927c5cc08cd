//! Small XML documents as a tree: enough for descriptions of VMs.

use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_xml_entity,
    events::{BytesStart, Event},
};

use crate::unclear::NotXml;

/// Descriptions nest a dozen deep; a file made to exhaust the stack of whoever walks it nests deeper.
const MAX_DEPTH: usize = 100;

/// One element. Namespaces are dropped: no description uses one name in two of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Element {
    pub(crate) name: String,
    attributes: Vec<(String, String)>,
    /// All text directly inside, trimmed.
    pub(crate) text: String,
    pub(crate) children: Vec<Self>,
}

impl Element {
    /// The root of a document.
    ///
    /// # Errors
    /// When the text is no XML document.
    pub(crate) fn parse(text: &str) -> Result<Self, NotXml> {
        let mut reader = Reader::from_str(text);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event()? {
                Event::Start(start) => {
                    if open.len() > MAX_DEPTH {
                        return Err(NotXml::TooDeep);
                    }
                    open.push(Self::begin(&start)?);
                }
                Event::Empty(start) => {
                    let element = Self::begin(&start)?;
                    if let Some(parent) = open.last_mut() {
                        parent.children.push(element);
                    }
                }
                Event::End(_) => close(&mut open),
                Event::Text(text) => append(&mut open, &text),
                Event::CData(text) => append(&mut open, &text),
                Event::GeneralRef(entity) => {
                    match entity.resolve_char_ref()? {
                        Some(character) => append(&mut open, character.encode_utf8(&mut [0; 4])),
                        // Entities that a document defines itself are not followed: that way lie
                        // documents that grow without end.
                        None => append(&mut open, resolve_xml_entity(&entity).unwrap_or_default()),
                    }
                }
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        if open.len() > 1 {
            return Err(NotXml::EndsEarly);
        }
        let document = open.pop().unwrap_or_default();
        document.children.into_iter().next().ok_or(NotXml::Empty)
    }

    fn begin(start: &BytesStart<'_>) -> Result<Self, NotXml> {
        let attributes = start
            .attributes()
            .map(|attribute| {
                let attribute = attribute?;
                let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
                let name = attribute.key.local_name().into_inner().to_owned();
                Ok((name, value.into_owned()))
            })
            .collect::<Result<_, NotXml>>()?;
        Ok(Self {
            name: start.local_name().into_inner().to_owned(),
            attributes,
            ..Self::default()
        })
    }

    /// An attribute's value.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Children of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first element down that path of names.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |element, name| {
            element.children.iter().find(|child| child.name == *name)
        })
    }

    /// The text of the first element down that path, where it is not empty.
    pub(crate) fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path)
            .map(|element| element.text.as_str())
            .filter(|text| !text.is_empty())
    }
}

fn close(open: &mut Vec<Element>) {
    // The reader has checked that every end has its start.
    if let Some(mut element) = open.pop() {
        element.text = element.text.trim().to_owned();
        match open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => open.push(element),
        }
    }
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn elements_attributes_and_text_are_found() {
        let root = Element::parse(
            "<?xml version='1.0'?><!-- c --><a:r xmlns:a='x' k='1 &amp; 2'><b>\n one &lt;&#x41; </b><b/><c><![CDATA[<d>]]></c></a:r>",
        )
        .unwrap();
        assert_eq!(root.name, "r");
        assert_eq!(root.attribute("k"), Some("1 & 2"));
        assert_eq!(root.text_at(&["b"]), Some("one <A"));
        assert_eq!(root.all("b").count(), 2);
        assert_eq!(root.text_at(&["c"]), Some("<d>"));
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let deep = "<a>".repeat(1000);
        for text in ["", "hello", "<a>", "<a></b>", "<a", &deep] {
            assert!(Element::parse(text).is_err(), "{text:.40}");
        }
    }

    #[test]
    fn entities_of_the_document_itself_are_not_followed() {
        let root =
            Element::parse("<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><r>a&x;b</r>")
                .unwrap();
        assert_eq!(root.text, "ab");
    }

    #[test]
    fn a_small_document_cannot_grow_by_its_own_entities() {
        let (long, many) = ("y".repeat(100_000), "&x;".repeat(100_000));
        let root = Element::parse(&format!(
            "<!DOCTYPE r [<!ENTITY x '{long}'>]><r>a{many}b</r>"
        ))
        .unwrap();
        assert_eq!(root.text, "ab");
    }

    #[test]
    fn ever_more_namespaces_are_refused_at_once() {
        let nested: String = (0..50_000)
            .map(|number| format!("<a xmlns:n{number}='{number}'>"))
            .collect();
        assert!(Element::parse(&nested).is_err());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[<>/a-c\"'=&;! \\[\\]-]{0,60}") {
            drop(Element::parse(&text));
        }
    }
}
