//! The colours of a drawing.

/// Red, green, blue.
pub(super) type Colour = [u8; 3];

/// Colours that go together; those of words repeat after the eighth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    pub(super) paper: Colour,
    pub(super) panel: Colour,
    pub(super) ink: Colour,
    pub(super) soft: Colour,
    pub(super) faint: Colour,
    pub(super) wave: Colour,
    words: [Colour; 8],
}

impl Theme {
    /// For paper.
    pub const LIGHT: Self = Self {
        paper: [255, 255, 255],
        panel: [246, 248, 250],
        ink: [27, 31, 36],
        soft: [90, 101, 112],
        faint: [216, 221, 227],
        wave: [86, 104, 124],
        words: [
            [11, 98, 196],
            [179, 84, 10],
            [29, 125, 70],
            [138, 63, 176],
            [194, 38, 79],
            [15, 127, 134],
            [138, 109, 0],
            [107, 114, 128],
        ],
    };
    /// For dark screens.
    pub const DARK: Self = Self {
        paper: [20, 24, 28],
        panel: [28, 33, 39],
        ink: [228, 232, 236],
        soft: [154, 166, 178],
        faint: [51, 59, 68],
        wave: [136, 154, 174],
        words: [
            [109, 179, 255],
            [240, 160, 90],
            [98, 207, 146],
            [207, 155, 239],
            [255, 139, 163],
            [95, 208, 214],
            [220, 194, 90],
            [163, 172, 184],
        ],
    };

    pub(super) fn word(&self, word_idx: usize) -> Colour {
        self.words[word_idx % self.words.len()]
    }
}
