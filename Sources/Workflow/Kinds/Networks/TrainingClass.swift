import BIDS

/// A class a network is to tell apart: its name and the numbers it has in label maps.
package struct TrainingClass: Sendable, Hashable {
    package var name: String
    package var labels: Set<UInt16>

    package init(name: String, labels: Set<UInt16>) { (self.name, self.labels) = (name, labels) }

    /// Most classes beside background: those that a label map of a model can hold.
    private static let most = 255

    /// The parameter `classes` of `network.train`: background is not among them, and none means one class of all that is
    /// labelled.
    package static func all(_ settings: StepSettings) throws(StepFinding) -> [TrainingClass] {
        func refuse(_ sentence: String) -> StepFinding { StepFinding("classes", sentence) }
        let list = settings.list("classes")
        guard list.count <= most else {
            throw refuse(
                "\(list.count) classes are more than the \(most) beside background that a label map of a model can hold"
            )
        }
        var owners: [UInt16: String] = [:]
        var classes: [TrainingClass] = []
        for value in list {
            guard let name = value["name"]?.stringValue, !name.isEmpty, let labels = value["labels"]?.arrayValue,
                !labels.isEmpty
            else { throw refuse("a class is {name: caudate, labels: [1, 2]}, not \(value.canonicalString)") }
            if name == "background" {
                throw refuse("background is a class by itself, of all that no other class has; leave it out")
            }
            if classes.contains(where: { $0.name == name }) {
                throw refuse("\(name) is named twice; give it all its labels in one place")
            }
            var numbers: Set<UInt16> = []
            for label in labels {
                guard let number = label.integerValue, number > 0, number <= UInt16.max else {
                    throw refuse(
                        "class \(name) has the label \(label.canonicalString); labels are whole numbers from 1 to 65535"
                    )
                }
                if let other = owners[UInt16(number)], other != name {
                    throw refuse("label \(number) belongs to both \(other) and \(name)")
                }
                owners[UInt16(number)] = name
                numbers.insert(UInt16(number))
            }
            classes.append(TrainingClass(name: name, labels: numbers))
        }
        return classes
    }

    /// Names of what a segmentation tells apart, background first.
    package static func names(_ settings: StepSettings) throws(StepFinding) -> [String] {
        let classes = try all(settings)
        return ["background"] + (classes.isEmpty ? ["foreground"] : classes.map(\.name))
    }
}
