//! The types of file that the apps take from each other, and how each begins (spec 3.9).

use std::fmt;

macro_rules! media_types {
    ($($(#[$doc:meta])* $variant:ident = $mime:literal $(| $alias:literal)*, $extensions:expr;)*) => {
        /// A type of file that the apps take.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum MediaType {
            $($(#[$doc])* $variant,)*
        }

        impl MediaType {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The type's name, as sent.
            pub const fn mime(self) -> &'static str {
                match self {
                    $(Self::$variant => $mime,)*
                }
            }

            /// The endings of file names of this type, the usual one first.
            pub const fn extensions(self) -> &'static [&'static str] {
                match self {
                    $(Self::$variant => $extensions,)*
                }
            }

            /// The type with this name, whatever its case and whatever parameters follow it.
            pub fn from_mime(mime: &str) -> Option<Self> {
                let bare = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
                match bare.as_str() {
                    $($mime $(| $alias)* => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

media_types! {
    /// A JPEG picture.
    Jpeg = "image/jpeg" | "image/jpg", &["jpg", "jpeg"];
    /// A PNG picture.
    Png = "image/png", &["png"];
    /// A GIF picture.
    Gif = "image/gif", &["gif"];
    /// A WebP picture.
    Webp = "image/webp", &["webp"];
    /// Sound in an MP4 container: what the apps record.
    Mp4 = "audio/mp4" | "audio/m4a" | "audio/x-m4a", &["m4a", "mp4"];
    /// Sound as a stream of AAC frames.
    Aac = "audio/aac", &["aac"];
    /// MP3.
    Mpeg = "audio/mpeg" | "audio/mp3", &["mp3"];
    /// Uncompressed sound.
    Wav = "audio/wav" | "audio/x-wav" | "audio/wave", &["wav"];
    /// Sound in an Ogg container.
    Ogg = "audio/ogg" | "application/ogg", &["ogg", "oga", "opus"];
    /// A PDF document.
    Pdf = "application/pdf", &["pdf"];
    /// Anything else.
    Bytes = "application/octet-stream", &["bin"];
}

impl MediaType {
    /// Whether a file of this type can begin with these bytes.
    pub fn begins(self, content: &[u8]) -> bool {
        let at =
            |offset: usize, magic: &[u8]| content.get(offset..).is_some_and(|rest| rest.starts_with(magic));
        match self {
            Self::Jpeg => at(0, &[0xFF, 0xD8, 0xFF]),
            Self::Png => at(0, b"\x89PNG\r\n\x1a\n"),
            Self::Gif => at(0, b"GIF87a") || at(0, b"GIF89a"),
            Self::Webp => at(0, b"RIFF") && at(8, b"WEBP"),
            Self::Mp4 => at(4, b"ftyp"),
            // A sync word of twelve bits, and the layer 0 that tells it from MP3.
            Self::Aac => matches!(content, [0xFF, second, ..] if second & 0xF6 == 0xF0),
            // A tag, or a sync word of eleven bits with a layer that is not 0.
            Self::Mpeg => {
                at(0, b"ID3")
                    || matches!(content, [0xFF, second, ..] if second & 0xE0 == 0xE0 && second & 0x06 != 0)
            }
            Self::Wav => at(0, b"RIFF") && at(8, b"WAVE"),
            Self::Ogg => at(0, b"OggS"),
            Self::Pdf => at(0, b"%PDF"),
            Self::Bytes => true,
        }
    }

    /// What to call a file of this name and content to somebody else: by its ending, if it begins so, else anything.
    pub fn of(name: &str, content: &[u8]) -> Self {
        let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        let named = |media_type: &Self| {
            extension.as_deref().is_some_and(|ending| media_type.extensions().contains(&ending))
        };
        Self::ALL
            .iter()
            .copied()
            .find(|media_type| named(media_type) && media_type.begins(content))
            .unwrap_or(Self::Bytes)
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.mime())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_one_name_and_is_found_by_any() {
        for &media_type in MediaType::ALL {
            assert_eq!(MediaType::from_mime(media_type.mime()), Some(media_type));
            assert!(!media_type.extensions().is_empty());
        }
        assert_eq!(MediaType::from_mime("Audio/MP4; codecs=mp4a"), Some(MediaType::Mp4));
        assert_eq!(MediaType::from_mime("image/jpg"), Some(MediaType::Jpeg));
        for mime in ["text/html", "image/svg+xml", "application/x-msdownload", "", "image/"] {
            assert_eq!(MediaType::from_mime(mime), None, "{mime}");
        }
    }

    #[test]
    fn a_file_begins_as_its_type_does() {
        let begins: [(MediaType, &[u8]); 10] = [
            (MediaType::Jpeg, &[0xFF, 0xD8, 0xFF, 0xE0]),
            (MediaType::Png, b"\x89PNG\r\n\x1a\n..."),
            (MediaType::Gif, b"GIF89a"),
            (MediaType::Webp, b"RIFF....WEBP"),
            (MediaType::Mp4, b"\0\0\0\x18ftypM4A "),
            (MediaType::Aac, &[0xFF, 0xF1, 0x60]),
            (MediaType::Mpeg, &[0xFF, 0xFB, 0x90]),
            (MediaType::Wav, b"RIFF....WAVE"),
            (MediaType::Ogg, b"OggS"),
            (MediaType::Pdf, b"%PDF-1.4"),
        ];
        for (media_type, content) in begins {
            for &other in MediaType::ALL.iter().filter(|&&other| other != MediaType::Bytes) {
                assert_eq!(other.begins(content), other == media_type, "{content:?} as {other}");
            }
            assert!(!media_type.begins(b"") && !media_type.begins(b"<html>"));
        }
    }

    #[test]
    fn a_name_and_what_follows_it_make_a_type() {
        assert_eq!(MediaType::of("a.PDF", b"%PDF-1.4"), MediaType::Pdf);
        assert_eq!(MediaType::of("a.pdf", b"<html>"), MediaType::Bytes);
        assert_eq!(MediaType::of("notes", b"text"), MediaType::Bytes);
    }
}
