from noisebox import app

app.main()
