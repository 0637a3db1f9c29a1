/// Colours for regions.
package enum Palette {
    /// Colours that stay apart from each other and from grey on a dark background: first the eight of Okabe and Ito, made
    /// for colour-blind readers, then further hues at other lightness.
    package static let colours: [Colour] = [
        Colour(230, 159, 0), Colour(86, 180, 233), Colour(0, 158, 115), Colour(240, 228, 66), Colour(0, 114, 178),
        Colour(213, 94, 0), Colour(204, 121, 167), Colour(255, 90, 95), Colour(127, 219, 106), Colour(155, 93, 229),
        Colour(0, 187, 249), Colour(254, 228, 64), Colour(241, 91, 181), Colour(0, 245, 212), Colour(201, 162, 39),
        Colour(120, 144, 255), Colour(255, 158, 128), Colour(174, 213, 129), Colour(128, 203, 196),
        Colour(206, 147, 216),
    ]

    /// A fixed colour for a label: neighbouring numbers get different ones, and a region keeps its colour in every picture.
    ///
    /// - Parameter pairs: whether labels come as left and right (1 and 2, 3 and 4, …), which then share a colour.
    package static func colour(_ label: UInt16, pairs: Bool = false) -> Colour {
        guard label > 0 else { return .black }
        let number = Int(label) - 1
        return colours[(pairs ? number / 2 : number) % colours.count]
    }

    /// The outline of the brain.
    package static let brain = Colour(64, 224, 208)
}
