//! A receipt's MAC is data and may be written.
pub fn write(receipt: &portcullis_core::audit::Receipt) -> serde_json::Value {
    serde_json::to_value(&receipt.mac).unwrap_or_default()
}
