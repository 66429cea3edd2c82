process.send?.({ ok: false, reason: 'its binary is not there' }, () => process.exit(0));
