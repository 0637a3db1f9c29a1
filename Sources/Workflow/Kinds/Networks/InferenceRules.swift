import BIDS

/// What has to hold for steps that apply models, as far as it can be told without the model.
extension StepRules {
    static let segmenting = StepRules([
        { step in _ = try ImagePorts.bound(step, ["image", "image2", "image3", "image4"]) },
        { step in _ = try step.flips() },
    ])

    static let classifying = StepRules([
        { step in _ = try ImagePorts.bound(step, ["image", "image2", "image3", "image4"]) },
        { step in
            guard step.isBound("features") == true, step.isBound("lesions") == false else { return }
            throw StepFinding(.input("features"), "features are of lesions; bind a map of them to lesions")
        },
    ])
}

extension StepSettings {
    /// Axes along which mirrored predictions are averaged in, none twice.
    package func flips() throws(StepFinding) -> [String] {
        let known = ["width", "height", "depth"]
        var axes: [String] = []
        for value in list("flips") {
            guard let axis = value.stringValue, known.contains(axis) else {
                let text = value.stringValue ?? value.canonicalString
                throw StepFinding("flips", "“\(text)” is no axis; there are \(known.joined(separator: ", "))")
            }
            if !axes.contains(axis) { axes.append(axis) }
        }
        return axes
    }
}
