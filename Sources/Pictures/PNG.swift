import CPNG

/// PNG encoding by libpng's simplified interface.
package enum PNG {
    /// The bytes of a PNG file: grey (a third of the size) when no pixel has a colour, else RGB; sRGB.
    ///
    /// - Throws: `PictureError.encoding` with libpng's words.
    package static func encode(_ picture: Picture) throws -> [UInt8] {
        let isGrey = picture.isGrey
        let pixels = isGrey ? picture.redChannel : picture.bytes
        var image = png_image()
        image.version = UInt32(PNG_IMAGE_VERSION)
        image.width = UInt32(picture.width)
        image.height = UInt32(picture.height)
        image.format = isGrey ? 0 : UInt32(PNG_FORMAT_FLAG_COLOR)
        defer { png_image_free(&image) }
        let rowBytes = Int32(picture.width * (isGrey ? 1 : 3))
        // PNG never needs much more than the raw bytes; libpng says so if this should be too little.
        var size = pixels.count + pixels.count / 100 + picture.height + 4096
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, initialised in
            let done = png_image_write_to_memory(&image, buffer.baseAddress, &size, 0, pixels, rowBytes, nil)
            initialised = done != 0 ? min(size, buffer.count) : 0
        }
        guard !bytes.isEmpty else {
            let words = withUnsafeBytes(of: image.message) { text in
                String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
            }
            throw PictureError.encoding(reason: words)
        }
        return bytes
    }
}

package enum PictureError: Error, Sendable, Equatable, CustomStringConvertible {
    case encoding(reason: String)

    package var description: String {
        switch self {
        case .encoding(let reason): "the picture cannot be encoded as PNG (libpng: \(reason)); make it smaller"
        }
    }
}
