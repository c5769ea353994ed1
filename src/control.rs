pub(crate) fn handle_line(_: &str, _: &mut wardkey_vault::Vault) -> String { String::new() }
